"""The recurrent tagger, which predicts a class for every step (aligned many to many)."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax

from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.sequence_inputs import (
    Steps,
    check_options,
    read_sequence,
    recurrent_outputs,
)


class SequenceTagger(nn.Module):
    """Predicts a class for every step of a sequence with recurrent layers.

    h_t = cell(h_{t-1}, x_t); y_t = h_t W + b

    Takes the same inputs as :class:`~nnjax.models.SequenceClassifier`. Bidirectional layers see the
    whole sequence at every step (Graves and Schmidhuber 2005). Padding does not affect the result.

    Attributes:
      recurrent: the recurrent layers. This model sets their ``vocabulary`` and
        ``return_sequences``.
      vocabulary: number of words if the inputs are ids; None takes it from the data.
      embedding: width of the word vectors; None is one-hot vectors.
      outputs: width of the last layer; None takes the number of classes from the data.
      steps: whether an image is read by "rows" or by "pixels".
      dropout: rate on the word vectors and before the last layer; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import GRUCell, Recurrent
      >>> from nnjax.models import SequenceTagger
      >>> model = SequenceTagger(Recurrent(GRUCell(5)), vocabulary=9, outputs=4)
      >>> ids = jnp.array([[4, 8, 2], [3, 1, -1]])
      >>> logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), ids)
      >>> logits.shape
      (2, 3, 4)
    """

    recurrent: Recurrent = dataclasses.field(default_factory=Recurrent)
    vocabulary: int | None = None
    embedding: int | None = None
    outputs: int | None = None
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
        """Maps sequences to (batch, time, outputs); outputs past a sequence's end are undefined."""
        x, lengths = read_sequence(inputs, self.steps)
        outputs = recurrent_outputs(
            self,
            self.recurrent,
            x,
            lengths,
            vocabulary=self.vocabulary,
            embedding=self.embedding,
            dropout=self.dropout,
            return_sequences=True,
            train=train,
        )
        outputs = Dropout(self.dropout)(outputs, train=train)
        return Dense(1 if self.outputs is None else self.outputs, name="output")(outputs)
