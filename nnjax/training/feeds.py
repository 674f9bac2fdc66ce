"""Feeds: they run updates on training batches, from memory or from a stream."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from nnjax.data.dataset import Batch, Dataset, Stream
from nnjax.distributed import devices
from nnjax.distributed.process_rows import ShareReader
from nnjax.training import updates
from nnjax.training.blocks import make_blocks
from nnjax.training.options import Training
from nnjax.training.updates import Carry


class Feed(Protocol):
    """Runs updates on training data."""

    steps_per_epoch: int

    def compile(self, carry: Carry) -> float:
        """Compiles the updates and returns the seconds that took."""
        ...

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        """Runs the updates ``step`` to ``step + count - 1`` and returns the carry after them."""
        ...

    def position(self) -> dict[str, Any]:
        """Returns what a checkpoint needs beside the step to continue with the next batch."""
        ...

    def seek(self, position: dict[str, Any]) -> None:
        """Continues from a position that :meth:`position` returned."""
        ...

    def close(self) -> None:
        """Ends the threads that prepare batches in advance."""
        ...


class ArrayFeed:
    """Runs updates on a training split in memory, a block of batches at a time.

    The position is the step alone, since the order of an epoch is a function of (seed, epoch).
    """

    def __init__(self, learner: Any, data: Dataset, training: Training, mesh: Mesh):
        examples = data.size("train")
        self.steps_per_epoch = training.steps_per_epoch(examples)
        self._blocks = make_blocks(data, training, mesh)
        self._program = updates.compiled_loop(
            learner, data.prepare, self._blocks.take, devices.replicated(mesh)
        )
        self._block: tuple[int, Any] | None = None

    def compile(self, carry: Carry) -> float:
        began = time.perf_counter()
        data = self._get(0)
        bound = np.int32(0)
        self._program = self._program.lower(carry, data, bound, bound).compile()
        return time.perf_counter() - began

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        while count > 0:
            block, first = divmod(step, self._blocks.updates)
            here = min(count, self._blocks.updates - first)
            bounds = np.int32(first), np.int32(first + here)
            carry = self._program(carry, self._get(block), *bounds)
            step, count = step + here, count - here
        return carry

    def position(self) -> dict[str, Any]:
        return {}

    def seek(self, position: dict[str, Any]) -> None:
        del position

    def close(self) -> None:
        self._blocks.close()

    def _get(self, block: int) -> Any:
        if self._block is None or self._block[0] != block:
            self._block = (block, self._blocks.get(block))
        return self._block[1]


class StreamFeed:
    """Runs updates on a stream; a thread reads the next batch during the update on this one."""

    def __init__(self, learner: Any, data: Stream, training: Training, mesh: Mesh):
        examples = data.size("train")
        self._seed = training.seed if training.data_seed is None else training.data_seed
        self.steps_per_epoch = training.steps_per_epoch(examples)
        batch = training.batch(examples)
        # Batches are padded to a multiple of the number of devices. Their examples do not depend on
        # that number, so a run can be resumed on another number of devices.
        rows = -(-batch // mesh.size) * mesh.size
        self._batches = ShareReader(data.train_batches, batch, self._seed, rows=rows, mesh=mesh)
        everywhere = devices.replicated(mesh)
        self._update = updates.streamed_update(learner, data.prepare, everywhere)
        self._programs: dict[Any, Any] = {}
        self._reader = ThreadPoolExecutor(1, "read-stream")
        self._next = None
        self._position = self._batches.get_state()

    def compile(self, carry: Carry) -> float:
        batch, _ = self._ahead().result()
        began = time.perf_counter()
        self._program(carry, batch)
        return time.perf_counter() - began

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        del step
        for _ in range(count):
            batch, self._position = self._ahead().result()
            self._next = None
            self._ahead()
            carry = self._program(carry, batch)(carry, batch)
        return carry

    def _program(self, carry: Carry, batch: Batch) -> Callable[[Carry, Batch], Carry]:
        """The update compiled for batches of this shape; sequences come in several lengths."""
        shapes = tuple(array.shape for array in jax.tree.leaves(batch))
        if shapes not in self._programs:
            self._programs[shapes] = self._update.lower(carry, batch).compile()
        return self._programs[shapes]

    def position(self) -> dict[str, Any]:
        """Returns the position after the last batch *trained on*, not after the last one read."""
        return self._position

    def seek(self, position: dict[str, Any]) -> None:
        if self._next is not None:
            self._next.result()
        self._next = None
        self._batches.set_state(position)
        self._position = position

    def close(self) -> None:
        self._reader.shutdown(cancel_futures=True)

    def _ahead(self):
        """The future of the next batch."""
        if self._next is None:
            self._next = self._reader.submit(self._read)
        return self._next

    def _read(self) -> tuple[Batch, dict[str, Any]]:
        return next(self._batches), self._batches.get_state()


def make_feed(learner: Any, data: Dataset | Stream, training: Training, mesh: Mesh) -> Feed:
    """Returns the feed for this kind of data."""
    if isinstance(data, Dataset):
        return ArrayFeed(learner, data, training, mesh)
    return StreamFeed(learner, data, training, mesh)
