"""Class labels: their names, and the check that every label is one of the classes."""

from pathlib import Path

import numpy as np

from nnjax.errors import UserError


def numbered(count: int) -> tuple[str, ...]:
    """The names "0", "1" ... of ``count`` classes that have no others."""
    return tuple(str(index) for index in range(count))


def count_classes(labels: np.ndarray, where: str | Path) -> int:
    """Number of classes that non-negative integer labels (n,) show: the largest, plus one.

    Raises:
      UserError: there is no label, or ``labels`` are not integers.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"the labels in {where} are {labels.dtype}; class labels must be integers")
    if labels.size == 0:
        raise UserError(f"{where} holds no labels")
    return int(labels.max()) + 1


def check_labels(labels: np.ndarray, classes: int, where: str | Path) -> np.ndarray:
    """Returns integer labels (n,) as int32 if each is in 0 ... classes - 1.

    Raises:
      UserError: a label is not one of the classes; the message names the first and ``where`` it is.
    """
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        place = int(outside[0])
        raise UserError(
            f"label {labels[place]} of example {place} in {where} is outside the classes "
            f"0 to {classes - 1}"
        )
    return labels.astype(np.int32)
