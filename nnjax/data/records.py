"""Records: examples that are read one by one, from files or a TFDS set."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import jax
import numpy as np

from nnjax.errors import UserError

Record = Mapping[str, np.ndarray]
"""One example: ``inputs`` and ``targets`` without a batch axis."""


class Records(Protocol):
    """Examples by index. Reading must be thread-safe, and an index must always give the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...


def specify(record: Record) -> dict[str, jax.ShapeDtypeStruct]:
    """Shape and dtype of each array of a record."""
    return {
        name: jax.ShapeDtypeStruct(np.shape(array), np.asarray(array).dtype)
        for name, array in record.items()
    }


def stack(
    records: Records,
    indices: Sequence[int] | np.ndarray,
    stored: Mapping[str, jax.ShapeDtypeStruct],
) -> dict[str, np.ndarray]:
    """Arrays with a batch axis of some records, which are read one after another.

    Args:
      records: to read from.
      indices: (n,) of the records to read.
      stored: the shape and dtype that each record must have.

    Raises:
      UserError: a record is of another shape.
    """
    arrays = _empty(len(indices), stored)
    for place, index in enumerate(indices):
        _fill(arrays, place, records[int(index)])
    return arrays


def collect(records: Records) -> dict[str, np.ndarray]:
    """Arrays with a batch axis of all records, which threads read in parallel.

    Raises:
      UserError: a record is of another shape than the first.
    """
    arrays = _empty(len(records), specify(records[0]))
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda index: _fill(arrays, index, records[index]), range(len(records))):
            pass
    return arrays


def _empty(count: int, stored: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, np.ndarray]:
    return {name: np.empty((count, *one.shape), one.dtype) for name, one in stored.items()}


def _fill(arrays: Mapping[str, np.ndarray], place: int, record: Record) -> None:
    for name, array in arrays.items():
        if np.shape(record[name]) != array.shape[1:]:
            raise UserError(
                f"the {name} of one example are of shape {np.shape(record[name])}, those of the "
                f"first of shape {array.shape[1:]}; bring images to one size with --data.size"
            )
        array[place] = record[name]
