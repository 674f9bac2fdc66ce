"""The encoder-decoder: from one sequence to another, as in translation (many to many)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.layers.attention import AdditiveAttention, DotAttention
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.sequence_inputs import (
    InitialState,
    check_forward,
    check_options,
    check_tied,
    known_size,
    lengths_of,
)

Carry = dict[str, Any]
"""``state``: the carry of the decoder. ``memory``: what it attends to, constant over all steps."""


class EncoderDecoder(nn.Module):
    """One recurrent network reads the source, another writes the target (Sutskever et al. 2014).

    m_1 ... m_S = encoder(source); h_0 = the encoder's final state; h_t = cell(h_{t-1}, w_t)
    without attention   p_t = softmax(h_t W + b)
    with attention      c_t = sum over s of a_ts m_s, a_t = softmax over s of score(h_t, m_s)
                        p_t = softmax(tanh([c_t, h_t] W_c) W + b)

    The scores are multiplicative, h . (m W_a) (Luong et al. 2015, "general"), or additive,
    v . tanh(h W_a + m U_a + b_a) (Bahdanau et al. 2015). As in Luong et al., attention follows the
    decoder's recurrence, so that in training it is one product over all positions. If the states of
    encoder and decoder differ in shape, h_0 is a dense layer of the encoder's final state, with
    tanh.

    The contents of the padding of source or target change nothing before their ends. ``start`` and
    ``advance`` generate sentences.

    Attributes:
      encoder: the recurrent layers that read the source. This model sets the ``vocabulary`` and
        ``return_sequences`` of encoder and decoder. The direction "backward" reverses the source,
        as in Sutskever et al.
      decoder: the recurrent layers that write the target.
      attention: "none", "dot" or "additive".
      vocabulary: number of words of the source; None takes it from the data.
      target_vocabulary: number of words of the target; None takes it from the data.
      embedding: width of the word vectors; None is one-hot vectors.
      dropout: rate on the word vectors and before the last layer; may be traced.
      tied: whether the last layer's kernel is the table of the target's embedding
        (Press and Wolf 2017).

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import GRUCell, Recurrent
      >>> from nnjax.models import EncoderDecoder
      >>> layers = Recurrent(GRUCell(5))
      >>> model = EncoderDecoder(layers, layers, "dot", vocabulary=9, target_vocabulary=7)
      >>> inputs = {"source": jnp.array([[4, 8, 2]]), "target": jnp.array([[0, 3]])}
      >>> jax.jit(model.init_with_output)(jax.random.key(0), inputs)[0].shape
      (1, 2, 7)
    """

    encoder: Recurrent = dataclasses.field(default_factory=Recurrent)
    decoder: Recurrent = dataclasses.field(default_factory=Recurrent)
    attention: Literal["none", "dot", "additive"] = "none"
    vocabulary: int | None = None
    target_vocabulary: int | None = None
    embedding: int | None = None
    dropout: float = 0.0
    tied: bool = False

    def __post_init__(self):
        check_options(
            vocabulary=self.vocabulary,
            target_vocabulary=self.target_vocabulary,
            embedding=self.embedding,
            dropout=self.dropout,
        )
        check_forward("decoder", self.decoder)
        if self.tied:
            check_tied("decoder", self.decoder, self.embedding)
        super().__post_init__()

    def setup(self):
        words = known_size("vocabulary", self.vocabulary)
        targets = known_size("target_vocabulary", self.target_vocabulary)
        one_hot, features = self.embedding is None, self.decoder.cell.features
        if self.embedding is not None:
            self.embed_source = Embedding(words, self.embedding)
            self.embed_target = Embedding(targets, self.embedding)
        options: dict[str, Any] = {"return_sequences": True, "parent": self}
        self.encoding = self.encoder.clone(
            vocabulary=words if one_hot else None, name="encoding", **options
        )
        self.decoding = self.decoder.clone(
            vocabulary=targets if one_hot else None, name="decoding", **options
        )
        self.initial = InitialState()
        if self.attention != "none":
            kind = DotAttention if self.attention == "dot" else AdditiveAttention
            self.attend = kind(features)
            self.combine = Dense(features, use_bias=False)
        self.drop = Dropout(self.dropout)
        self.output = None if self.tied else Dense(targets)

    def __call__(self, inputs: Mapping[str, jax.Array], *, train: bool = False) -> jax.Array:
        """Predicts each word of the targets from the source and the earlier words of the target.

        Args:
          inputs: ids ``source`` (batch, S) and ``target`` (batch, T), negative after the end; the
            target begins with the start token.
          train: whether to apply dropout.

        Returns:
          Logits (batch, T, target vocabulary).
        """
        outputs, _ = self._decode(inputs, train)
        return self._logits(outputs, train)

    def attention_weights(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """The weight of each source word for each target word; takes the inputs of a call.

        Returns:
          (batch, T, S), zero for the source's padding; each row sums to 1.

        Raises:
          UserError: the model has no attention.
        """
        _, weights = self._decode(inputs, train=False)
        if weights is None:
            raise UserError("this model has no attention; train one with attention dot or additive")
        return weights

    def start(self, source: jax.Array, length: int = 0) -> Carry:
        """Reads the source, ids (batch, S), and returns the carry; ``length`` does not matter."""
        del length
        return self._encode(source, train=False)

    def advance(self, carry: Carry, tokens: jax.Array) -> tuple[Carry, jax.Array]:
        """Reads one word of each target, ids (batch,).

        Returns:
          The next carry, and the logits (batch, target vocabulary) of the next words.
        """
        x = self._vectors(tokens[:, None], "target", train=False)
        outputs, state = self.decoding(x, carry=carry["state"])
        outputs, _ = self._attended(outputs, carry["memory"])
        return {**carry, "state": state}, self._logits(outputs, train=False)[:, 0]

    def _decode(self, inputs: Mapping[str, jax.Array], train: bool):
        """The input of the last layer (batch, T, features), and the attention weights or None."""
        carry = self._encode(inputs["source"], train)
        x = self._vectors(inputs["target"], "target", train)
        outputs, _ = self.decoding(x, carry=carry["state"], train=train)
        return self._attended(outputs, carry["memory"])

    def _encode(self, source: jax.Array, train: bool) -> Carry:
        x = self._vectors(source, "source", train)
        outputs, last = self.encoding(x, lengths=lengths_of(source), train=train)
        state = self.decoding.init_carry(source.shape[0], parameters.dtype_of(self))
        if jax.tree.map(jnp.shape, last) == jax.tree.map(jnp.shape, state):
            state = last
        else:
            state = self.initial(jnp.concatenate(jax.tree.leaves(last), axis=-1), state)
        if self.attention == "none":
            return {"state": state, "memory": {}}
        memory = {"keys": self.attend.keys(outputs), "outputs": outputs, "mask": source >= 0}
        return {"state": state, "memory": memory}

    def _attended(self, outputs: jax.Array, memory: dict[str, jax.Array]):
        if self.attention == "none":
            return outputs, None
        context, weights = self.attend(outputs, memory["keys"], memory["outputs"], memory["mask"])
        return jnp.tanh(self.combine(jnp.concatenate([context, outputs], axis=-1))), weights

    def _vectors(self, tokens: jax.Array, side: Literal["source", "target"], train: bool):
        """The input of the recurrent layers: word vectors, or ids in place of one-hot vectors."""
        if self.embedding is None:
            return tokens
        embed = self.embed_source if side == "source" else self.embed_target
        return self.drop(embed(tokens), train=train)

    def _logits(self, outputs: jax.Array, train: bool) -> jax.Array:
        outputs = self.drop(outputs, train=train)
        return self.embed_target.scores(outputs) if self.output is None else self.output(outputs)
