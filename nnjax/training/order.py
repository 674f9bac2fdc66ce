"""Batches of indices: which examples each update of an epoch takes."""

from typing import Any

import numpy as np

from nnjax.data.dataset import Dataset


def batches(order: np.ndarray, batch_size: int, multiple: int = 1) -> np.ndarray:
    """Cuts the order of one epoch into batches, every example once.

    Args:
      order: int32 (examples,), the examples as an epoch goes through them.
      batch_size: examples an update.
      multiple: rows are padded to a multiple of this, the number of devices that share a batch.

    Returns:
      int32 (updates, row): indices of examples. Places that no example fills, at the end of a row,
      hold ``~i``, a negative number, i one of the row's examples in turn: what a model measures of
      a batch, as batch normalisation does, is then measured of examples of that batch.
    """
    full = len(order) // batch_size
    row = -(-batch_size // multiple) * multiple
    rows = [_padded(order[: full * batch_size].reshape(full, batch_size), row)]
    if rest := len(order) % batch_size:
        rows.append(_padded(order[None, -rest:], row))
    return np.concatenate(rows)


def is_ragged(examples: int, batch_size: int, multiple: int = 1) -> bool:
    """Whether any row of :func:`batches` has a place that no example fills."""
    return examples % batch_size != 0 or batch_size % multiple != 0


def whole(examples: int, multiple: int = 1) -> np.ndarray:
    """One batch of every example in order, int32 (row,), padded to a multiple as the others."""
    return batches(np.arange(examples, dtype=np.int32), examples, multiple)[0]


def _padded(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows (n, examples) of indices with their empty places filled, int32 (n, width)."""
    place, filled = np.arange(width), rows.shape[1]
    examples = rows[:, place % filled]
    return np.where(place < filled, examples, ~examples).astype(np.int32)


def example_at(index: Any) -> Any:
    """The example in each place of a row, or one to fill an empty place: int32, of NumPy or JAX."""
    # Every bit turned where the first is set: ~i of a negative number, without a branch.
    return index ^ (index >> 31)


def take(data: Dataset, arrays: Any, index: Any, *, ragged: bool) -> dict[str, Any]:
    """The batch of a row; pure where the arrays are JAX's.

    Args:
      data: whose ``take`` it is.
      arrays: of a split.
      index: int32 (row,), as of :func:`batches`.
      ragged: whether places may be empty. These then do not count, nor what a mask of the data's
        own leaves out.
    """
    if not ragged:
        return dict(data.take(arrays, index))
    batch = dict(data.take(arrays, example_at(index)))
    present = (index >= 0).astype(np.float32)
    return {**batch, "mask": present * batch["mask"] if "mask" in batch else present}
