"""The recurrent classifier of whole sequences (many to one)."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.sequence_inputs import (
    Steps,
    check_options,
    read_sequence,
    recurrent_outputs,
)

Pooling = Literal["last", "mean", "max"]


class SequenceClassifier(nn.Module):
    """Classifies sequences with recurrent layers.

    h_t = cell(h_{t-1}, x_t); y = pool(h_1 ... h_T) W + b, where T is the sequence's own length

    Reads ids, vectors or images; see
    :func:`~nnjax.models.sequences.sequence_inputs.read_sequence`. Padding does not affect the
    result.

    Attributes:
      recurrent: the recurrent layers. This model sets their ``vocabulary`` and
        ``return_sequences``.
      vocabulary: number of words if the inputs are ids; None takes it from the data.
      embedding: width of the word vectors; None is one-hot vectors.
      outputs: width of the last layer; None takes the number of classes from the data.
      pooling: how the outputs of all steps become one vector: "last" takes each direction's last
        output, "mean" the mean and "max" the maximum of each feature.
      steps: whether an image is read by "rows" or by "pixels".
      dropout: rate on the word vectors and before the last layer; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import GRUCell, Recurrent
      >>> from nnjax.models import SequenceClassifier
      >>> model = SequenceClassifier(Recurrent(GRUCell(5)), vocabulary=9, outputs=2)
      >>> ids = jnp.array([[4, 8, 2], [3, 1, -1]])
      >>> logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), ids)
      >>> logits.shape
      (2, 2)
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
    """The mean or maximum over the valid steps of each sequence; zeros if its length is 0.

    Args:
      outputs: (batch, time, features).
      lengths: (batch,); None is the full length.
      pooling: "mean" or "max".

    Returns:
      (batch, features).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.models.sequences.sequence_classifier import pool
      >>> pool(jnp.array([[[1.0], [3.0], [9.0]]]), jnp.array([2]), "mean")
      Array([[2.]], dtype=float32)
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
