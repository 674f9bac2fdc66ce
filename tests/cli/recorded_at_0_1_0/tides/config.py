"""Waves, with an update of two batches: accumulation was saved otherwise then."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import numpy as np
from nnjax.layers.recurrent import Recurrent

from nnjax.data import Dataset
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training


@dataclass(frozen=True)
class Waves:
    """Sines of two frequencies.

    Attributes:
      length: of a sequence.
    """

    length: int = 8

    def load(self) -> Dataset:
        """Inputs (40, length, 1) float32, targets (40,) int32."""
        targets = np.arange(40, dtype=np.int32) % 2
        phase = np.random.default_rng(0).uniform(0, 6, (40, 1))
        inputs = np.sin(phase + (1 + targets[:, None]) * np.arange(self.length))
        arrays = {"inputs": np.float32(inputs)[..., None], "targets": targets}
        train = {name: array[:30] for name, array in arrays.items()}
        test = {name: array[30:] for name, array in arrays.items()}
        return Dataset({"train": train, "test": test}, ("slow", "fast"), preprocess=None)


class Net(nn.Module):
    """A recurrent layer and a dense one on its last output."""

    outputs: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        return nn.Dense(self.outputs)(Recurrent(LSTMCell(3), return_sequences=False)(x)[0])


config = Experiment(
    data=Waves(),
    learner=Supervised(model=Net(), optimizer=Adam(learning_rate=0.01, accumulation_steps=2)),
    training=Training(steps=20, batch_size=6, monitor="train loss"),
)
