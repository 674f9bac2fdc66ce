"""Recurrent tagging: a class for every step, many to many, aligned."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax

from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models.sequences.recurrent_outputs import recurrent_outputs
from nnjax.models.sequences.sequence_inputs import Steps, check_options, read_sequence


class SequenceTagger(nn.Module):
    """h_t = cell(h_{t-1}, x_t); y_t = h_t W + b for every step.

    Reads what a :class:`~nnjax.models.SequenceClassifier` reads. Bidirectional layers see the whole
    sequence at every step (Graves and Schmidhuber 2005). What padding holds changes nothing.

    Attributes:
      recurrent: the recurrent layers. What they return and the words they read are set here.
      vocabulary: number of words, where the inputs are ids; None takes it from the data.
      embedding: width of the words' vectors; None for one-hot vectors.
      outputs: width of the last layer; None takes the number of classes from the data.
      steps: how images are read: by rows, or pixel by pixel.
      dropout: rate on the words' vectors and before the last layer; may be traced.
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
        """Maps sequences to (batch, time, outputs); past a sequence's end these mean nothing."""
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
