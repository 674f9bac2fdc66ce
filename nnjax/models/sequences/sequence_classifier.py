"""Recurrent classification of whole sequences: many to one."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.recurrent_outputs import recurrent_outputs
from nnjax.models.sequences.sequence_inputs import Steps, check_options, read_sequence

Pooling = Literal["last", "mean", "max"]


class SequenceClassifier(nn.Module):
    """h_t = cell(h_{t-1}, x_t); y = pool(h_1 ... h_T) W + b, T being the sequence's own length.

    Reads ids, vectors or images; see
    :func:`~nnjax.models.sequences.sequence_inputs.read_sequence`. Padding has no influence.

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
        check_options(
            vocabulary=self.vocabulary,
            embedding=self.embedding,
            outputs=self.outputs,
            dropout=self.dropout,
        )
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
