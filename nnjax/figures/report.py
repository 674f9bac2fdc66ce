"""The figures that a finished run leaves: those that its data and model allow."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from nnjax import metrics
from nnjax.data.dataset import Dataset, Stream
from nnjax.learners.state import State

PREDICTION_BATCH = 2000


def predict(learner: Any, state: State, data: Dataset, split: str) -> np.ndarray:
    """Predictions (examples, outputs) for a whole split, in order."""
    inputs = data.split(split)["inputs"]
    forward = jax.jit(lambda state, x: learner.predict(state, data.prepare({"inputs": x})["inputs"]))
    starts = range(0, len(inputs), PREDICTION_BATCH)
    return np.concatenate([forward(state, inputs[i : i + PREDICTION_BATCH]) for i in starts])
