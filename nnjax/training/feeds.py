"""Feeds: how training batches reach the updates, from memory or from a stream."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from nnjax.data.dataset import Batch, Dataset, Stream, pad
from nnjax.training import devices, order, updates
from nnjax.training.options import Training
from nnjax.training.updates import NEVER, Carry


class Feed(Protocol):
    """Runs updates on training data."""

    steps_per_epoch: int

    def compile(self, carry: Carry) -> float:
        """Compiles the updates and returns the seconds it took."""
        ...

    def ahead(self, step: int) -> int:
        """How many updates from ``step`` on one call of :meth:`run` can make."""
        ...

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        """Runs the updates ``step`` to ``step + count - 1``."""
        ...

    def position(self) -> dict[str, Any]:
        """What a checkpoint must hold, beside the step, to go on with the next batch."""
        ...

    def seek(self, position: dict[str, Any]) -> None:
        """Goes to a position that :meth:`position` gave."""
        ...

    def close(self) -> None:
        """Ends the threads that read or draw ahead."""
        ...


BLOCK_UPDATES = 1000
"""Epochs shorter than this share a block of batches, that no call need end with a short epoch."""


class ArrayFeed:
    """Batches gathered on the device from a training split that lies there.

    The position is the step alone: the order of an epoch is a function of (seed, epoch). The
    batches of some epochs, a block, are drawn and sent to the device at once.
    """

    def __init__(self, learner: Any, data: Dataset, training: Training, mesh: Mesh):
        self._mesh = mesh
        self._examples = data.size("train")
        self._batch = training.batch(self._examples)
        self._seed = training.seed if training.data_seed is None else training.data_seed
        self.steps_per_epoch = training.steps_per_epoch(self._examples)
        self._whole = training.batch_size == 0
        epochs = max(1, BLOCK_UPDATES // self.steps_per_epoch)
        # One row serves every update of full-batch training.
        self._epochs_per_block = 1 if self._whole else epochs
        arrays = {name: np.asarray(array) for name, array in data.split("train").items()}
        self._data = jax.device_put(arrays, devices.replicated(mesh))
        ragged = order.is_ragged(self._examples, self._batch, mesh.size)
        gather = updates.Gather(mesh, ragged, self._whole)
        self._compiled = training.loop == "compiled" or (
            training.loop == "auto"
            and not updates.prefers_dispatch(learner, data.example(self._batch), mesh)
        )
        lift = updates.compiled_loop if self._compiled else updates.dispatched_update
        self._program = lift(learner, data.prepare, gather)
        # Drawing the next block's order while this one trains hides its cost.
        self._drawer = ThreadPoolExecutor(1, "draw-order")
        self._pending: tuple[int, Any] | None = None
        self._order: tuple[int, jax.Array] | None = None

    def compile(self, carry: Carry) -> float:
        began = time.perf_counter()
        bounds = (self._scalar(0), self._scalar(0)) if self._compiled else (self._scalar(0),)
        batches = self._block(0)
        self._program = self._program.lower(carry, self._data, batches, *bounds).compile()
        return time.perf_counter() - began

    def ahead(self, step: int) -> int:
        return NEVER if self._whole else self._block_updates - step % self._block_updates

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        block, first = divmod(step, NEVER if self._whole else self._block_updates)
        batches = self._block(block)
        row = self._scalar(first)
        if self._compiled:
            return self._program(carry, self._data, batches, row, self._scalar(first + count))
        for _ in range(count):
            carry, row = self._program(carry, self._data, batches, row)
        return carry

    def position(self) -> dict[str, Any]:
        return {}

    def seek(self, position: dict[str, Any]) -> None:
        del position

    def close(self) -> None:
        self._drawer.shutdown(cancel_futures=True)

    def _scalar(self, value: int) -> jax.Array:
        return jax.device_put(np.int32(value), devices.replicated(self._mesh))

    @property
    def _block_updates(self) -> int:
        return self._epochs_per_block * self.steps_per_epoch

    def _block(self, block: int) -> jax.Array:
        """The batches of a block, on the devices."""
        if self._order is None or self._order[0] != block:
            drawn = self._draw_ahead(block)
            self._order = (block, jax.device_put(drawn, devices.replicated(self._mesh)))
        return self._order[1]

    def _draw_ahead(self, block: int) -> np.ndarray:
        """Draws a block, or takes it where it was drawn ahead, and begins to draw the next."""
        if self._whole:
            return order.whole(self._examples, self._mesh.size)
        ahead = self._pending
        drawn = ahead[1].result() if ahead and ahead[0] == block else self._draw(block)
        self._pending = (block + 1, self._drawer.submit(self._draw, block + 1))
        return drawn

    def _draw(self, block: int) -> np.ndarray:
        first = block * self._epochs_per_block
        return np.concatenate(
            [
                order.batches(self._examples, self._batch, self._seed, epoch, self._mesh.size)
                for epoch in range(first, first + self._epochs_per_block)
            ]
        )


class StreamFeed:
    """Batches from a stream, the next one read and sent to the device while this one trains."""

    def __init__(self, learner: Any, data: Stream, training: Training, mesh: Mesh):
        self._mesh = mesh
        examples = data.size("train")
        self._seed = training.seed if training.data_seed is None else training.data_seed
        self.steps_per_epoch = training.steps_per_epoch(examples)
        batch = training.batch(examples)
        # Rows are padded to a multiple of the devices; the examples in a batch do not depend on it,
        # so that a run can go on with another number of devices.
        self._row = -(-batch // mesh.size) * mesh.size
        self._batches = data.train_batches(batch, self._seed)
        self._program = updates.streamed_update(learner, data.prepare)
        self._reader = ThreadPoolExecutor(1, "read-stream")
        self._next = None
        self._position = self._batches.get_state()

    def compile(self, carry: Carry) -> float:
        batch, _ = self._ahead().result()
        began = time.perf_counter()
        self._program = self._program.lower(carry, batch).compile()
        return time.perf_counter() - began

    def ahead(self, step: int) -> int:
        return self.steps_per_epoch - step % self.steps_per_epoch

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        del step
        for _ in range(count):
            batch, self._position = self._ahead().result()
            self._next = None
            self._ahead()
            carry = self._program(carry, batch)
        return carry

    def position(self) -> dict[str, Any]:
        """The position after the last batch that was *trained on*, not the last one read."""
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
        """The batch being read."""
        if self._next is None:
            self._next = self._reader.submit(self._read)
        return self._next

    def _read(self) -> tuple[Batch, dict[str, Any]]:
        batch = pad(next(self._batches), self._row)
        sharding = devices.split_batch(self._mesh)
        return jax.device_put(batch, sharding), self._batches.get_state()


def make_feed(learner: Any, data: Dataset | Stream, training: Training, mesh: Mesh) -> Feed:
    """The feed for this kind of data."""
    if isinstance(data, Dataset):
        return ArrayFeed(learner, data, training, mesh)
    return StreamFeed(learner, data, training, mesh)
