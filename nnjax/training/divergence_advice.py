"""What to do about a loss that is no number."""

from typing import Any

import jax
import numpy as np

from nnjax.data.checks import path_name
from nnjax.data.dataset import Dataset, Stream
from nnjax.data.labels import convert
from nnjax.errors import UserError


def remedy(learner: Any, data: Dataset | Stream) -> str:
    """Names the first number of the training data that is not finite, else what else may help."""
    for path, array in jax.tree.leaves_with_path(_training_arrays(data)):
        if array.dtype.kind == "f":
            try:
                convert(np.asarray(array), np.float32, f"'{path_name(path)}' of split 'train'")
            except UserError as error:
                return str(error)
    if hasattr(learner, "optimizer"):
        return "lower the learning rate"
    return "scale the inputs or the initial weights down"


def _training_arrays(data: Dataset | Stream) -> dict[str, Any]:
    return dict(data.split("train")) if isinstance(data, Dataset) else {}
