"""Class labels: their names, and the check that every label is one of the classes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnjax.errors import UserError

MANY = 100_000
"""A label may imply more classes than this only if there are as many labels as classes."""


FEWEST_LABELS = 20
"""Among fewer labels, most may be different by chance."""


def numbered(count: int) -> tuple[str, ...]:
    """The names "0", "1" ... for ``count`` classes without names of their own."""
    return tuple(str(index) for index in range(count))


def check_distinct(names: Sequence[str], where: str | Path) -> None:
    """Refuses a list of class names that holds a name twice; ``where`` says what lists them."""
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise UserError(f"{where} names the class '{twice}' twice; name each class once")


def count_classes(labels: np.ndarray, where: str | Path, otherwise: str = "") -> int:
    """Number of classes that labels (n,) show, counted from 0: the largest, plus one.

    Args:
      labels: of all training examples.
      where: describes, in the message, what holds them.
      otherwise: other advice about labels that are no classes; ends the message.

    Raises:
      UserError: there is no label, ``labels`` are not integers, nearly all of them differ, or one
        of them is so large that it can hardly count classes from 0: an identifier, perhaps.
    """
    if labels.dtype.kind not in "biu":
        raise UserError(f"the labels in {where} are {labels.dtype}; class labels must be integers")
    if labels.size == 0:
        raise UserError(f"{where} holds no labels")
    classes = int(labels.max()) + 1
    different = len(np.unique(labels))
    if labels.size >= FEWEST_LABELS and 2 * different > labels.size:
        raise UserError(
            f"{where} has {different:,} different numbers in {labels.size:,} examples, too many to "
            f"be classes; say how many classes there are with --data.classes{otherwise}"
        )
    if classes > max(MANY, labels.size):
        raise UserError(
            f"label {classes - 1} in {where} would make {classes:,} classes of {labels.size:,} "
            f"labels; number the classes from 0, or say how many there are with --data.classes"
            f"{otherwise}"
        )
    return classes


def check_labels(labels: np.ndarray, classes: int, where: str | Path, first: int = 0) -> np.ndarray:
    """Returns integer or boolean labels (n,) as int32 if each is in 0 ... classes - 1.

    Args:
      labels: of examples that follow each other.
      classes: number of classes.
      where: describes, in the message, what holds them.
      first: the number of the first example, for the message.

    Raises:
      UserError: a label is not one of the classes; the message names the first such label.
    """
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise UserError(
            f"the labels in {where} are {labels.dtype} of shape {labels.shape}; "
            "class labels are one integer an example"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        place = int(outside[0])
        raise UserError(
            f"label {labels[place]} of example {first + place} in {where} is outside the classes "
            f"0 to {classes - 1}"
        )
    return labels.astype(np.int32)


def narrow(array: np.ndarray, where: str, keep_digits: bool = False) -> np.ndarray:
    """Numbers as JAX holds them: float64 as float32, int64 as int32, bool as uint8.

    Args:
      array: of numbers.
      where: describes the array in messages.
      keep_digits: return float64 as float64, once it is checked that float32 holds its range.

    Raises:
      UserError: as in :func:`convert`.
    """
    kind = array.dtype.kind
    if keep_digits and kind == "f" and array.dtype.itemsize == 8:
        convert(array, np.float32, where)
        return array.astype(np.float64, copy=False)
    wide = {"b": np.uint8, "i": np.int32, "u": np.uint32}.get(kind, np.float32)
    if kind == "b" or array.dtype.itemsize > 4:
        return convert(array, wide, where)
    return convert(array, array.dtype.newbyteorder("="), where)


def convert(array: np.ndarray, dtype: np.typing.DTypeLike, where: str) -> np.ndarray:
    """The same numbers as another real dtype; not copied where they have it already.

    Raises:
      UserError: the array, described by ``where``, does not hold real numbers, or one of them is
        not finite or outside of what the dtype holds.
    """
    if array.dtype.kind not in "biuf":
        raise UserError(f"{where} is {array.dtype}; it must hold real numbers")
    dtype = np.dtype(dtype)
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    # With a NaN, min and max are NaN, and the comparison is false.
    if not (limits.min <= array.min(initial=0) and array.max(initial=0) <= limits.max):
        place = np.argwhere(~((limits.min <= array) & (array <= limits.max)))[0].tolist()
        at = f" at {place}" if place else ""
        raise UserError(
            f"{where} holds {array[tuple(place)]}{at}; it must be a finite number that {dtype} "
            "can hold: leave it out, or scale it down"
        )
    return array.astype(dtype, copy=False)
