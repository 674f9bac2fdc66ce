"""Batches of indices: which examples each update of an epoch takes."""

from typing import Any

import numpy as np

from nnjax.data.dataset import Batch


def batches(order: np.ndarray, batch_size: int, multiple: int = 1) -> np.ndarray:
    """Cuts the order of one epoch into batches, every example once.

    Args:
      order: int32 (examples,), the examples as an epoch goes through them.
      batch_size: examples an update.
      multiple: rows are padded to a multiple of this, the number of devices that share a batch.

    Returns:
      int32 (updates, row): indices of examples. Places that no example fills, at the end of a row,
      are -1.
    """
    examples = len(order)
    updates = -(-examples // batch_size)
    row = -(-batch_size // multiple) * multiple
    padded = np.full((updates, row), -1, np.int32)
    full = examples // batch_size
    padded[:full, :batch_size] = order[: full * batch_size].reshape(full, batch_size)
    padded[full:, : examples - full * batch_size] = order[full * batch_size :]
    return padded


def is_ragged(examples: int, batch_size: int, multiple: int = 1) -> bool:
    """Whether any row of :func:`batches` has a place that no example fills."""
    return examples % batch_size != 0 or batch_size % multiple != 0


def whole(examples: int, multiple: int = 1) -> np.ndarray:
    """One batch of every example in order, int32 (row,), padded with -1 to a multiple."""
    row = np.full(-(-examples // multiple) * multiple, -1, np.int32)
    row[:examples] = np.arange(examples)
    return row


def masked(batch: Batch, index: Any) -> dict[str, Any]:
    """A batch of which places that no example fills do not count, nor what its own mask leaves out.

    Args:
      batch: the arrays that ``index`` took, of NumPy or JAX.
      index: int32 (row,), -1 where there is no example.
    """
    present = (index >= 0).astype(np.float32)
    return {**batch, "mask": present * batch["mask"] if "mask" in batch else present}
