"""Recurrent classification of whole sequences: many to one."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.recurrent import Recurrent
from nnjax.models.sequence_inputs import Steps, known_size, read_sequence
from nnjax.traced import check_number

Pooling = Literal["last", "mean", "max"]


class SequenceClassifier(nn.Module):
    """h_t = cell(h_{t-1}, x_t); y = pool(h_1 ... h_T) W + b, T being the sequence's own length.

    Reads ids, vectors or images; see :func:`~nnjax.models.sequence_inputs.read_sequence`. What
    padding holds changes nothing.

    Attributes:
      recurrent: the recurrent layers. What they return and the words they read are set here.
      vocabulary: number of words, where the inputs are ids; None takes it from the data.
      embedding: width of the words' vectors; None for one-hot vectors.
      outputs: width of the last layer; None takes the number of classes from the data.
      pooling: what is classified of the outputs: the last ones, where each direction ends; their
        mean; or the largest of each feature.
      steps: how images are read: by rows, or pixel by pixel.
      dropout: rate on the words' vectors and before the last layer; may be traced.
    """

    recurrent: Recurrent = dataclasses.field(default_factory=Recurrent)
    vocabulary: int | None = None
    embedding: int | None = None
    outputs: int | None = None
    pooling: Pooling = "last"
    steps: Steps = "rows"
    dropout: float = 0.0

    def __post_init__(self):
        check_number("size of the vocabulary", self.vocabulary, at_least=1)
        check_number("width of the embedding", self.embedding, at_least=1)
        check_number("number of outputs", self.outputs, at_least=1)
        check_number("dropout rate", self.dropout, at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool = False) -> jax.Array:
        """Maps sequences to (batch, outputs)."""
        x, lengths = read_sequence(inputs, self.steps)
        outputs = recurrent_outputs(
            self,
            self.recurrent,
            x,
            lengths,
            vocabulary=self.vocabulary,
            embedding=self.embedding,
            dropout=self.dropout,
            return_sequences=self.pooling != "last",
            train=train,
        )
        if self.pooling != "last":
            outputs = pool(outputs, lengths, self.pooling)
        outputs = Dropout(self.dropout)(outputs, train=train)
        return Dense(1 if self.outputs is None else self.outputs, name="output")(outputs)


def recurrent_outputs(
    module: nn.Module,
    recurrent: Recurrent,
    x: jax.Array,
    lengths: jax.Array | None,
    *,
    vocabulary: int | None,
    embedding: int | None,
    dropout: float,
    return_sequences: bool,
    train: bool,
) -> jax.Array:
    """Applies an embedding, "embed", where wanted, and the recurrent layers, "recurrence".

    Args:
      module: that calls, and whose layers they become.
      recurrent: the layers.
      x: ids (batch, time) or floats (batch, time, features).
      lengths: (batch,), or None for full length.
      vocabulary: number of words.
      embedding: width of the words' vectors; None for one-hot vectors.
      dropout: rate on the words' vectors.
      return_sequences: whether all outputs are wanted or the last.
      train: whether to drop units.

    Returns:
      (batch, time, features) or (batch, features).

    Raises:
      UserError: the inputs are ids, and the vocabulary is None.
    """
    words = None
    if jnp.issubdtype(x.dtype, jnp.integer):
        words = known_size("vocabulary", vocabulary)
        if embedding is not None:
            x = Embedding(words, embedding, name="embed")(x)
            x, words = Dropout(dropout)(x, train=train), None
    layers = recurrent.clone(
        vocabulary=words,
        return_sequences=return_sequences,
        parent=module,
        name="recurrence",
    )
    return layers(x, lengths=lengths, train=train)[0]


def pool(outputs: jax.Array, lengths: jax.Array | None, pooling: Literal["mean", "max"]):
    """The mean or maximum over the steps before each end; zeros where there are none.

    Args:
      outputs: (batch, time, features).
      lengths: (batch,), or None for full length.
      pooling: which of them.

    Returns:
      (batch, features).
    """
    if lengths is None:
        lengths = jnp.full(outputs.shape[:1], outputs.shape[1])
    inside = (jnp.arange(outputs.shape[1]) < lengths[:, None])[..., None]
    if pooling == "mean":
        total = jnp.sum(jnp.where(inside, outputs, 0), axis=1)
        return total / jnp.maximum(lengths, 1)[:, None].astype(outputs.dtype)
    lowest = jnp.finfo(outputs.dtype).min
    largest = jnp.max(jnp.where(inside, outputs, lowest), axis=1)
    return jnp.where(lengths[:, None] > 0, largest, 0)
