"""Advice for a loss that became NaN or infinite."""

from typing import Any

import jax
import numpy as np

from nnjax.data.checks import path_name
from nnjax.data.dataset import Dataset, Stream
from nnjax.data.labels import convert
from nnjax.errors import UserError


def advice(learner: Any, data: Dataset | Stream) -> str:
    """Returns advice: the first number of the training data that is not finite, else a setting."""
    arrays = _training_arrays(data)
    counts = np.asarray(arrays.pop("mask", 1)) > 0
    for path, array in jax.tree.leaves_with_path(arrays):
        if array.dtype.kind == "f":
            # What the mask leaves out cannot be the cause.
            numbers = np.array(array)
            numbers[np.broadcast_to(~counts, len(numbers))] = 0
            try:
                convert(numbers, np.float32, f"'{path_name(path)}' of split 'train'")
            except UserError as error:
                return str(error)
    if hasattr(learner, "optimizer"):
        return "lower the learning rate"
    return "scale the inputs or the initial weights down"


def _training_arrays(data: Dataset | Stream) -> dict[str, Any]:
    return dict(data.split("train")) if isinstance(data, Dataset) else {}
