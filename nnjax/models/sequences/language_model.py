"""The recurrent language model, which predicts the next word."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.sequence_inputs import (
    check_forward,
    check_options,
    check_tied,
    known_size,
    lengths_of,
)


class LanguageModel(nn.Module):
    """Predicts the next word with recurrent layers (Mikolov et al. 2010).

    h_t = cell(h_{t-1}, w_t); p(w_{t+1} | w_1 ... w_t) = softmax(h_t W + b)

    Words enter as vectors of an embedding, or as one-hot vectors, which select a row of the first
    cell's kernel.

    If the inputs are ids alone, every row is a separate text. If they also have ``fresh``, each row
    continues the same row of the previous batch unless it is fresh: truncated backpropagation
    through time (Williams and Peng 1990). The state is then a variable in the collection "carry".
    If that is not mutable, as in evaluation, all rows start with the zero state.

    ``start`` and ``advance`` generate text, one word at a time.

    Attributes:
      recurrent: the recurrent layers. This model sets their ``vocabulary`` and
        ``return_sequences``.
      vocabulary: number of words; None takes it from the data.
      embedding: width of the word vectors; None is one-hot vectors.
      last_only: whether to predict only the word after the last one (many to one).
      dropout: rate on the word vectors and on the outputs of the last recurrent layer
        (Zaremba et al. 2014); may be traced.
      tied: whether the last layer's kernel is the table of the embedding (Press and Wolf 2017).

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import GRUCell, Recurrent
      >>> from nnjax.models import LanguageModel
      >>> model, ids = LanguageModel(Recurrent(GRUCell(5)), vocabulary=7), jnp.array([[2, 6, 1]])
      >>> logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), ids)
      >>> logits.shape
      (1, 3, 7)
    """

    recurrent: Recurrent = dataclasses.field(default_factory=Recurrent)
    vocabulary: int | None = None
    embedding: int | None = None
    last_only: bool = False
    dropout: float = 0.0
    tied: bool = False

    def __post_init__(self):
        check_options(vocabulary=self.vocabulary, embedding=self.embedding, dropout=self.dropout)
        if not self.last_only:
            check_forward("language model", self.recurrent)
        if self.tied:
            check_tied("cell", self.recurrent, self.embedding)
        super().__post_init__()

    def setup(self):
        words = known_size("vocabulary", self.vocabulary)
        self.embed = None if self.embedding is None else Embedding(words, self.embedding)
        self.recurrence = self.recurrent.clone(
            vocabulary=words if self.embedding is None else None,
            return_sequences=not self.last_only,
            parent=self,
            name="recurrence",
        )
        self.drop = Dropout(self.dropout)
        self.output = None if self.tied else Dense(words)

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool = False) -> jax.Array:
        """Predicts the next words.

        Args:
          inputs: ids (batch, time), negative after a text's end; or a mapping with ``tokens``
            (batch, time) and ``fresh`` (batch,), nonzero for rows that start with the zero state.
          train: whether to apply dropout.

        Returns:
          Logits (batch, time, vocabulary), or (batch, vocabulary) with ``last_only``.

        Raises:
          UserError: the batch has another number of rows than the state of the previous batch.
        """
        tokens, fresh = inputs, None
        if isinstance(inputs, Mapping):
            tokens, fresh = inputs["tokens"], inputs.get("fresh")
        previous = carry = None
        if fresh is not None and (previous := self._state_variable(tokens.shape[0])) is not None:
            carry = self._reset(previous.value, fresh)
        # A forward output does not depend on later words, so padding affects only the final states.
        lengths = lengths_of(tokens) if self.last_only or carry is not None else None
        x = self._vectors(tokens, train)
        outputs, after = self.recurrence(x, lengths=lengths, carry=carry, train=train)
        if previous is not None and not self.is_initializing():
            previous.value = jax.tree.map(lambda x: x.astype(jnp.float32), after)
        return self._logits(self.drop(outputs, train=train))

    def start(self, batch: int, length: int = 0) -> Any:
        """The state before the first word of ``batch`` texts; ``length`` does not matter."""
        del length
        if self.recurrent.direction != "forward":
            raise UserError("only a forward language model can generate text")
        return self.recurrence.init_carry(batch, parameters.dtype_of(self))

    def advance(self, carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        """Reads one word of each text.

        Args:
          carry: the state before the word.
          tokens: ids (batch,); a negative id stands for a vector of zeros.

        Returns:
          The next state, and the logits (batch, vocabulary) of the next words.
        """
        x = self._vectors(tokens[:, None], train=False)
        outputs, carry = self.recurrence(x, carry=carry)
        return carry, self._logits(outputs if self.last_only else outputs[:, 0])

    def _vectors(self, tokens: jax.Array, train: bool) -> jax.Array:
        """The input of the recurrent layers: word vectors, or ids in place of one-hot vectors."""
        return tokens if self.embed is None else self.drop(self.embed(tokens), train=train)

    def _logits(self, outputs: jax.Array) -> jax.Array:
        if self.output is not None:
            return self.output(outputs)
        assert self.embed is not None
        return self.embed.scores(outputs)

    def _state_variable(self, batch: int) -> Any:
        """The variable that carries the state from batch to batch; None in evaluation."""
        if not self.is_mutable_collection("carry"):
            return None
        state = self.variable("carry", "state", lambda: self.recurrence.init_carry(batch))
        rows = jax.tree.leaves(state.value)[0].shape[0]
        if rows != batch:
            raise UserError(
                f"the state of the previous batch has {rows} rows, and this batch has {batch}; "
                "give all batches the same size"
            )
        return state

    def _reset(self, carry: Any, fresh: jax.Array) -> Any:
        """The carry with zeros in the rows that are fresh."""
        dtype = parameters.dtype_of(self)
        stop = fresh[:, None] != 0
        return jax.tree.map(lambda x: jnp.where(stop, 0, x).astype(dtype), carry)
