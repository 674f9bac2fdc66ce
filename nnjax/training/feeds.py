"""Feeds: how training batches reach the updates, from memory or from a stream."""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from nnjax.data.dataset import Batch, Dataset, Stream
from nnjax.training import devices, order, updates
from nnjax.training.options import Training
from nnjax.training.updates import Carry


class Feed(Protocol):
    """Runs updates on training data."""

    steps_per_epoch: int

    def compile(self, carry: Carry) -> float:
        """Compiles the updates and returns the seconds it took."""
        ...

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        """Runs the updates ``step`` to ``step + count - 1``, all within one epoch."""
        ...

    def position(self) -> dict[str, Any]:
        """What a checkpoint must hold, beside the step, to go on with the next batch."""
        ...

    def seek(self, position: dict[str, Any]) -> None:
        """Goes to a position that :meth:`position` gave."""
        ...


class ArrayFeed:
    """Batches gathered on the device from a training split that lies there.

    The position is the step alone: the order of an epoch is a function of (seed, epoch).
    """

    def __init__(self, learner: Any, data: Dataset, training: Training, mesh: Mesh):
        self._mesh = mesh
        self._examples = data.size("train")
        self._batch = training.batch(self._examples)
        self._seed = training.seed if training.data_seed is None else training.data_seed
        self.steps_per_epoch = training.steps_per_epoch(self._examples)
        self._whole = training.batch_size == 0
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
        # Drawing the next epoch's order while this one trains hides its cost.
        self._drawer = ThreadPoolExecutor(1)
        self._pending: tuple[int, Any] | None = None
        self._order: tuple[int, jax.Array] | None = None

    def compile(self, carry: Carry) -> float:
        began = time.perf_counter()
        bounds = (self._scalar(0), self._scalar(0)) if self._compiled else (self._scalar(0),)
        batches = self._epoch_order(0)
        self._program = self._program.lower(carry, self._data, batches, *bounds).compile()
        return time.perf_counter() - began

    def run(self, carry: Carry, step: int, count: int) -> Carry:
        epoch, first = divmod(step, self.steps_per_epoch)
        batches = self._epoch_order(epoch)
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

    def _scalar(self, value: int) -> jax.Array:
        return jax.device_put(np.int32(value), devices.replicated(self._mesh))

    def _epoch_order(self, epoch: int) -> jax.Array:
        """The order of an epoch, on the devices."""
        if self._order is None or self._order[0] != epoch:
            drawn = self._draw(epoch)
            self._order = (epoch, jax.device_put(drawn, devices.replicated(self._mesh)))
        return self._order[1]

    def _draw(self, epoch: int) -> np.ndarray:
        if self._whole:
            return order.whole(self._examples, self._mesh.size)
        draw = functools.partial(
            order.batches, self._examples, self._batch, self._seed, multiple=self._mesh.size
        )
        ahead = self._pending
        drawn = ahead[1].result() if ahead and ahead[0] == epoch else draw(epoch=epoch)
        self._pending = (epoch + 1, self._drawer.submit(draw, epoch=epoch + 1))
        return drawn


class StreamFeed:
    """Batches from a stream, the next one read and sent to the device while this one trains."""

    def __init__(self, learner: Any, data: Stream, training: Training, mesh: Mesh):
        self._mesh = mesh
        examples = data.size("train")
        self._seed = training.seed if training.data_seed is None else training.data_seed
        # Rounded up to a multiple of the devices: the stream masks what it pads.
        batch = -(-training.batch(examples) // mesh.size) * mesh.size
        self.steps_per_epoch = -(-examples // batch)
        self._batches = data.train_batches(batch, self._seed)
        self._program = updates.streamed_update(learner, data.prepare)
        self._reader = ThreadPoolExecutor(1)
        self._next = None
        self._position = self._batches.get_state()

    def compile(self, carry: Carry) -> float:
        batch, _ = self._ahead().result()
        began = time.perf_counter()
        self._program = self._program.lower(carry, batch).compile()
        return time.perf_counter() - began

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

    def _ahead(self):
        """The batch being read."""
        if self._next is None:
            self._next = self._reader.submit(self._read)
        return self._next

    def _read(self) -> tuple[Batch, dict[str, Any]]:
        batch = next(self._batches)
        sharding = devices.split_batch(self._mesh)
        return jax.device_put(dict(batch), sharding), self._batches.get_state()


def make_feed(learner: Any, data: Dataset | Stream, training: Training, mesh: Mesh) -> Feed:
    """The feed for this kind of data."""
    feed = ArrayFeed if isinstance(data, Dataset) else StreamFeed
    return feed(learner, data, training, mesh)
