"""Batches of indices: which examples each update of an epoch takes."""

from typing import Any

import numpy as np

from nnjax.data.dataset import Dataset


def batches(order: np.ndarray, batch_size: int, multiple: int = 1) -> np.ndarray:
    """Divides the order of one epoch into batches, with every example once.

    Args:
      order: int32 (examples,), the order of the examples in an epoch.
      batch_size: examples of an update.
      multiple: rows are padded to a multiple of this, the number of devices that share a batch.

    Returns:
      int32 (updates, row): indices of examples. Places without an example, at the end of a row,
      hold ``~i``, a negative number, where i goes through the examples of the row in turn: a layer
      that computes across the batch without regard to the mask sees examples of that batch.
    """
    full = len(order) // batch_size
    row = -(-batch_size // multiple) * multiple
    rows = [_padded(order[: full * batch_size].reshape(full, batch_size), row)]
    if rest := len(order) % batch_size:
        rows.append(_padded(order[None, -rest:], row))
    return np.concatenate(rows)


def is_ragged(examples: int, batch_size: int, multiple: int = 1) -> bool:
    """Whether any row of :func:`batches` has a place without an example."""
    return examples % batch_size != 0 or batch_size % multiple != 0


def whole(examples: int, multiple: int = 1) -> np.ndarray:
    """Returns one batch of all examples in order, int32 (row,), padded to a multiple."""
    return batches(np.arange(examples, dtype=np.int32), examples, multiple)[0]


def _padded(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows (n, examples) of indices, padded to int32 (n, width)."""
    place, filled = np.arange(width), rows.shape[1]
    examples = rows[:, place % filled]
    return np.where(place < filled, examples, ~examples).astype(np.int32)


def example_at(index: Any) -> Any:
    """Returns the example at each place of a row, padding included: int32, of NumPy or JAX."""
    # All bits are inverted where the sign bit is set: ~i of a negative number, without a branch.
    return index ^ (index >> 31)


def take(data: Dataset, arrays: Any, index: Any, *, ragged: bool) -> dict[str, Any]:
    """Returns the batch of a row; pure if the arrays are JAX's.

    Args:
      data: its ``take`` makes the batch.
      arrays: of a split.
      index: int32 (row,), as from :func:`batches`.
      ragged: whether places may be without an example. The batch then has a ``mask``, in which they
        are 0, as are examples that a mask of the data itself leaves out.
    """
    if not ragged:
        return dict(data.take(arrays, index))
    batch = dict(data.take(arrays, example_at(index)))
    present = (index >= 0).astype(np.float32)
    return {**batch, "mask": present * batch["mask"] if "mask" in batch else present}
