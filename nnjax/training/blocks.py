"""Blocks: the training examples in the order of the updates, up to a thousand batches at a time.

Each kind of blocks has ``get(block)``, which returns the arrays of a block on the devices, and
``take(data, row)``, which makes one batch of them inside the compiled update.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from nnjax import parameters
from nnjax.data.dataset import Batch, Dataset
from nnjax.distributed import devices
from nnjax.errors import UserError
from nnjax.training import order
from nnjax.training.options import Training
from nnjax.training.updates import NEVER

UPDATES = 1000
"""Updates in a block: many, since each block needs a call of the compiled loop."""

MOST_BYTES = 2**24
"""The most memory of a block whose examples are copied: for a larger one the operating system
allocates and clears new pages every time."""

ALIGNMENT = 64
"""Bytes: JAX on a CPU uses a host array without a copy if its address is a multiple of this."""


class Blocks(Protocol):
    """The training examples in the order of the updates.

    Attributes:
      updates: number of updates in a block.
    """

    updates: int

    def get(self, block: int) -> Any:
        """Returns the arrays of a block, on the devices."""
        ...

    def take(self, data: Any, row: jax.Array) -> Batch:
        """Returns one batch of a block, ``row`` counted within the block; pure."""
        ...

    def close(self) -> None:
        """Ends the thread that prepares the next block."""
        ...


def make_blocks(data: Dataset, training: Training, mesh: Mesh) -> Blocks:
    """Returns the kind of blocks for the batch size and the devices."""
    if training.batch_size == 0:
        return Whole(data, mesh)
    return (Copied if devices.is_one_cpu(mesh) else Gathered)(data, training, mesh)


class Whole:
    """Full-batch training: every update takes all examples, in the order of the data."""

    updates = NEVER

    def __init__(self, data: Dataset, mesh: Mesh):
        row = order.whole(data.size("train"), mesh.size)
        own = row[devices.own_rows(len(row), mesh)]
        batch = order.take(data, _arrays(data), own, ragged=bool((row < 0).any()))
        self._data = devices.put_share(batch, mesh)

    def get(self, block: int) -> Any:
        del block
        return self._data

    def take(self, data: Any, row: jax.Array) -> Batch:
        del row
        return data

    def close(self) -> None:
        pass


class Gathered:
    """The devices hold all examples as they are stored, and each update gathers its own.

    Of several processes, too, each holds all examples: a shuffled batch takes examples from any
    place, and data that fit in the memory of one process fit in that of each.
    """

    def __init__(self, data: Dataset, training: Training, mesh: Mesh):
        _check_lanes(getattr(data, "lanes", None), mesh)
        self.updates = UPDATES
        self._mesh = mesh
        self._everywhere = devices.replicated(mesh)
        self._examples = devices.put(_arrays(data), self._everywhere)
        self._data = data
        self._rows = Rows(data, training, mesh.size)
        self._prefetch = _Prefetch(self._draw)

    def get(self, block: int) -> Any:
        return {"examples": self._examples, "rows": self._prefetch(block)}

    def take(self, data: Any, row: jax.Array) -> Batch:
        index = data["rows"][row]
        if self._mesh.size > 1:
            index = jax.lax.with_sharding_constraint(index, devices.split_batch(self._mesh))
        return order.take(self._data, data["examples"], index, ragged=self._rows.ragged)

    def close(self) -> None:
        self._prefetch.close()

    def _draw(self, block: int) -> jax.Array:
        rows = self._rows(block * self.updates, self.updates)
        return devices.put(rows, self._everywhere)


class Copied:
    """A thread copies the examples of the next block in order while this block trains.

    For one CPU device: there an update waits longer for memory to gather its examples than to read
    them in order, and the thread can use a core that the update of a small model leaves idle.
    """

    def __init__(self, data: Dataset, training: Training, mesh: Mesh):
        self._data = data
        self._arrays = _arrays(data)
        self._everywhere = devices.replicated(mesh)
        self._rows = Rows(data, training, 1)
        a_batch = self._rows.width * parameters.size_in_bytes(dict(data.stored))
        self.updates = max(1, min(UPDATES, MOST_BYTES // a_batch))
        self._prefetch = _Prefetch(self._copy)

    def get(self, block: int) -> Any:
        return self._prefetch(block)

    def take(self, data: Any, row: jax.Array) -> Batch:
        return jax.tree.map(lambda array: array[row], data)

    def close(self) -> None:
        self._prefetch.close()

    def _copy(self, block: int) -> Any:
        rows = self._rows(block * self.updates, self.updates)
        index = rows.reshape(-1)
        batch = order.take(self._data, self._arrays, index, ragged=self._rows.ragged)
        batch = jax.tree.map(lambda array: _aligned(array, rows.shape), batch)
        return devices.put(batch, self._everywhere)


def _aligned(array: Any, rows: tuple[int, ...]) -> np.ndarray:
    """A copy at an aligned address, which JAX uses without copying it in the training thread."""
    array = np.asarray(array)
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    copy = memory[begin : begin + array.nbytes].view(array.dtype)
    copy[:] = array.reshape(-1)
    return copy.reshape(*rows, *array.shape[1:])


def _check_lanes(lanes: int | None, mesh: Mesh) -> None:
    """Refuses lanes that would be padded: a model carries a state from row to row."""
    if lanes is not None and lanes % mesh.size:
        raise UserError(
            f"{lanes} lanes cannot be spread over {mesh.size} devices; make lanes and batch_size a "
            f"multiple of {mesh.size}, or take fewer devices"
        )


class Rows:
    """The batches of all epochs, one after another, as rows of indices.

    Attributes:
      width: places of a row, a multiple of the number of devices.
      ragged: whether a row may have places without an example.
    """

    def __init__(self, data: Dataset, training: Training, multiple: int):
        examples = self._examples = data.size("train")
        seed = training.seed if training.data_seed is None else training.data_seed
        self._order = lambda epoch: data.order(seed, epoch, training.batch_size)
        self._batch, self._multiple = training.batch_size, multiple
        self._per_epoch = training.steps_per_epoch(examples)
        self.width = -(-self._batch // multiple) * multiple
        self.ragged = order.is_ragged(examples, self._batch, multiple)
        self._drawn: tuple[int, np.ndarray] | None = None

    def __call__(self, first: int, count: int) -> np.ndarray:
        """Returns rows ``first`` to ``first + count - 1``, int32 (count, width)."""
        rows = np.empty((count, self.width), np.int32)
        filled = 0
        while filled < count:
            epoch, begin = divmod(first + filled, self._per_epoch)
            part = self._epoch(epoch)[begin : begin + count - filled]
            rows[filled : filled + len(part)] = part
            filled += len(part)
        return rows

    def _epoch(self, epoch: int) -> np.ndarray:
        if self._drawn is None or self._drawn[0] != epoch:
            drawn = self._order(epoch)
            if len(drawn) != self._examples:
                raise UserError(
                    f"the order of epoch {epoch} has {len(drawn):,} examples, the training split "
                    f"{self._examples:,}; let `order` of the data give each of them once"
                )
            self._drawn = (epoch, order.batches(drawn, self._batch, self._multiple))
        return self._drawn[1]


class _Prefetch:
    """Makes numbered blocks in a thread: the next one while the last is in use."""

    def __init__(self, make: Callable[[int], Any]):
        self._make = make
        self._thread = ThreadPoolExecutor(1, "batches-ahead")
        self._next: tuple[int, Future] | None = None

    def __call__(self, number: int) -> Any:
        if self._next is None or self._next[0] != number:
            self._next = (number, self._thread.submit(self._make, number))
        made = self._next[1].result()
        self._next = (number + 1, self._thread.submit(self._make, number + 1))
        return made

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)


def _arrays(data: Dataset) -> dict[str, Any]:
    return jax.tree.map(np.asarray, dict(data.split("train")))
