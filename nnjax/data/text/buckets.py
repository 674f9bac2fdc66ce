"""Buckets: batches of sequences of similar length, padded to the length of their bucket only.

A compiled program takes arrays of one shape. So batches have one of a few lengths, and each length
has its own program.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import jax
import numpy as np

from nnjax.data.dataset import Batch, BatchIterator, Dataset, Described, Spec, pad
from nnjax.data.order import epoch_order
from nnjax.data.preprocessing import ids
from nnjax.data.text.padding import lengths


@dataclass(frozen=True)
class Bucketed(Described):
    """A stream of batches of a few lengths, made of padded sequences in memory.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import Bucketed, Dataset
      >>> ids = np.array([[1, -1, -1], [2, -1, -1], [3, -1, -1], [4, 3, 2]])
      >>> split = {"inputs": ids, "targets": np.zeros(4, np.int32)}
      >>> data = Bucketed.of(Dataset({"train": split}, preprocess=None), buckets=2)
      >>> [batch["inputs"].shape for batch in data.batches("train", 2)]
      [(2, 1), (2, 3)]

    Attributes:
      data: all arrays of integers with two axes are padded with negative ids after their end.
      widths: the lengths that a batch may have, ascending; the last holds every example.
    """

    data: Dataset
    widths: tuple[int, ...]

    @classmethod
    def of(cls, data: Dataset, buckets: int) -> "Bucketed":
        """Batches of lengths that are chosen so that each has about as many training examples."""
        longest = _lengths(data.split("train"))
        parts = np.arange(1, buckets) / buckets
        chosen = np.quantile(longest, parts, method="higher").astype(int).tolist()
        whole = max(int(_lengths(split).max(initial=1)) for split in data.splits.values())
        return cls(data, tuple(sorted({*(max(1, width) for width in chosen), whole})))

    @property
    def stored(self) -> Mapping[str, Any]:
        """Shape and dtype of one of the longest examples, by the array's name."""
        return self.data.stored

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes."""
        return self.data.classes

    @property
    def vocabulary(self) -> Any:
        """The words of the inputs."""
        return self.data.vocabulary

    @property
    def target_vocabulary(self) -> Any:
        """The words of what is predicted word by word."""
        return self.data.target_vocabulary

    @property
    def maximum_length(self) -> int | None:
        """The number of words, or characters, after which the source has cut texts."""
        return self.data.maximum_length

    def size(self, name: str) -> int:
        """Number of examples in a split; 0 where the data has no such split."""
        return self.data.size(name)

    def conform(self, spec: Spec) -> "Bucketed":
        """The same examples in the form that a model trained on ``spec`` expects.

        See :func:`nnjax.data.conform`.
        """
        return Bucketed(self.data.conform(spec), self.widths)

    def prepare(self, batch: Batch, key: jax.Array | None = None) -> Batch:
        """Makes ids int32; pure, to be called under ``jit``."""
        del key
        return ids(dict(batch))

    def train_batches(self, batch_size: int, seed: int) -> BatchIterator:
        """Shuffled batches without end; the batches and their order depend on the seed alone.

        Every batch has a ``mask``; the last batch of the longest examples is padded to
        ``batch_size``.
        """
        arrays = self.data.split("train")
        buckets = np.searchsorted(self.widths, _lengths(arrays))
        steps = -(-len(buckets) // batch_size)
        drawn: dict[int, list[np.ndarray]] = {}

        def read(step: int) -> Batch:
            epoch, row = divmod(step, steps)
            if epoch not in drawn:
                drawn.clear()
                drawn[epoch] = bucket_order(buckets, batch_size, seed, epoch)
            examples = jax.tree.map(itemgetter(drawn[epoch][row]), dict(arrays))
            return self._shorten(pad(examples, batch_size))

        return _Batches(read)

    def batches(self, name: str, batch_size: int) -> Iterator[Batch]:
        """One pass over a split, in order; every batch has a ``mask``, and the last is padded."""
        return map(self._shorten, self.data.batches(name, batch_size))

    def _shorten(self, batch: Batch) -> Batch:
        """The batch, cut to the smallest of the lengths that holds its examples."""
        needed = np.searchsorted(self.widths, _lengths(batch).max())
        width = self.widths[min(int(needed), len(self.widths) - 1)]
        return jax.tree.map(lambda array: array[:, :width] if _padded(array) else array, batch)


class _Batches(BatchIterator):
    """An iterator over numbered batches; its position is the number of the next batch."""

    def __init__(self, read: Callable[[int], Batch]):
        self._read = read
        self._step = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = self._read(self._step)
        self._step += 1
        return batch

    def get_state(self) -> dict[str, Any]:
        """The position, as a dictionary that JSON can hold."""
        return {"step": self._step}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to a position that ``get_state`` gave."""
        self._step = state["step"]


def bucket_order(buckets: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Draws the batches of one epoch: every example once, with others of its bucket.

    The examples that do not fill a batch of their bucket go into the next longer bucket. So there
    are no more batches than without buckets, and at most one of them is not full.

    Args:
      buckets: the bucket of each example, (n,); a higher bucket holds longer examples.
      batch_size: examples in a batch.
      seed: of the data order.
      epoch: counted from 0.

    Returns:
      The indices of the examples of each batch.
    """
    order = epoch_order(len(buckets), seed, epoch)
    order = order[np.argsort(buckets[order], kind="stable")]
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    return [batches[place] for place in epoch_order(len(batches), seed, epoch, stream=1)]


def _padded(array: np.ndarray) -> bool:
    return array.ndim == 2 and np.issubdtype(array.dtype, np.integer)


def _lengths(arrays: Batch) -> np.ndarray:
    """The length of each example: the longest of its sequences, int32 (n,)."""
    padded = [array for array in jax.tree.leaves(dict(arrays)) if _padded(array)]
    return np.max([lengths(array) for array in padded], axis=0)
