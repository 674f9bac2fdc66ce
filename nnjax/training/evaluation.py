"""Evaluation of a whole split, every example counted once."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from nnjax import flops, metrics, parameters
from nnjax.data.dataset import STREAM_BATCH, Batch, Dataset, Stream
from nnjax.distributed import devices
from nnjax.distributed.process_rows import ShareReader
from nnjax.learners.state import State

BATCH = 500
"""Examples in a batch: large enough for full speed, small enough for the memory of any device."""

MOST_OUTPUTS = 2**25
"""The largest number of outputs of a batch, 128 MB: a language model has one for every word of the
vocabulary at every place of a text."""


def batch_size(data: Dataset | Stream, most: int = BATCH) -> int:
    """Returns how many examples to evaluate at once, at most ``most``."""
    places = math.prod(data.stored["targets"].shape)
    most = most if isinstance(data, Dataset) else STREAM_BATCH
    return max(1, min(most, MOST_OUTPUTS // (data.outputs * max(places, 1))))


CACHED_FLOPS = 640e6
"""The largest number of floating-point operations of a forward pass on a CPU: the activations of a
larger batch do not fit into its caches."""

CPU_MULTIPLE, CPU_MOST = 32, 256
"""A batch on a CPU is a multiple of the first, to fill the vector registers, up to the second."""

MOST_BYTES = 2**28
"""The most memory of the batches that one call measures, and of a split that stays on the devices
between evaluations."""

MOST_THREADS = 8
"""Threads that measure in parallel on a CPU: a loop of small operations occupies only one core."""


class Evaluator:
    """Measures splits of data with a learner's ``evaluate``.

    Data in memory are measured by a compiled loop over many batches, a stream batch by batch.
    """

    def __init__(
        self, learner: Any, data: Dataset | Stream, mesh: Mesh, most_batches: int | None = None
    ):
        """Prepares the programs; each is compiled when a split first needs it.

        Args:
          learner: its ``evaluate`` measures a batch.
          data: the splits.
          mesh: the devices that share each batch.
          most_batches: evaluate at most this many batches of a split; None evaluates all of it.
        """
        self._most_batches = most_batches
        self._data = data
        self._learner = learner
        self._mesh = mesh
        self._largest_batch: int | None = None
        self._zero: metrics.Metrics | None = None
        self._on_device: dict[str, list[tuple[Batch, int]]] = {}
        measure = _measurement(learner, data)
        self._measure = jax.jit(measure)
        self._measure_rows = jax.jit(_over_rows(measure))
        self._programs: dict[Any, Callable[..., metrics.Metrics]] = {}
        self._sum = jax.jit(_sum)
        self._threads = min(devices.threads(), MOST_THREADS) if devices.is_one_cpu(mesh) else 1
        self._pool = ThreadPoolExecutor(self._threads, "evaluate")

    def __call__(self, state: State, split: str) -> dict[str, float]:
        """Returns the metrics of a split, as numbers by name."""
        return metrics.values(self.totals(state, split))

    def totals(self, state: Any, split: str) -> metrics.Metrics:
        """Returns the metrics of a split, as sums on the device."""
        size = self._size(state, split)
        total = self._nothing(state)
        if isinstance(self._data, Dataset):
            for stack, count in self._stacks(self._data, split, size):
                total = self._sum(total, self._measure_stack(state, stack, count))
        else:
            read = self._data.batches
            batches = ShareReader(read, split, size, rows=size, mesh=self._mesh)
            for batch in itertools.islice(batches, self._most_batches):
                total = self._measure(state, batch, total)
        return total

    def _measure_stack(self, state: Any, stack: Batch, count: int) -> metrics.Metrics:
        """The metrics of each of the first ``count`` batches of a stack, by row."""
        program = self._program(state, stack)
        parts = min(self._threads, count)
        bounds = [np.int32(count * part // parts) for part in range(parts + 1)]
        if parts == 1:
            return program(*bounds)

        def measure(*bounds: np.int32) -> metrics.Metrics:
            # Without this the call would return before the loop has ended, and free the thread.
            return jax.block_until_ready(program(*bounds))

        found = self._pool.map(measure, bounds, bounds[1:])
        # Added on the host, so that the next compiled sum is the same for any number of threads.
        return jax.tree.map(lambda *parts: sum(map(np.asarray, parts)), *found)

    def _program(self, state: Any, stack: Batch) -> Callable[[np.int32, np.int32], metrics.Metrics]:
        """``(first, end) -> rows``: the loop over those batches of a stack."""
        nothing = self._nothing(state)
        # A compiled program takes arrays of exactly the shapes and dtypes it was compiled for, and
        # splits may differ in both: texts in length, targets and masks in dtype.
        kind = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(stack))
        if kind not in self._programs:
            # Compiled in this thread: options of JAX that a `with` statement sets hold in it alone.
            bound = np.int32(0)
            lowered = self._measure_rows.lower(state, stack, bound, bound, nothing)
            self._programs[kind] = lowered.compile()
        program = self._programs[kind]
        return lambda first, end: program(state, stack, first, end, nothing)

    def _at_once(self, state: State) -> int:
        """The largest number of examples of a batch; computed at the first call."""
        if self._largest_batch is None:
            most = BATCH
            if self._mesh.devices.flat[0].platform == "cpu":
                each = flops.count(self._learner.evaluate, state, self._data.example())
                cached = int(CACHED_FLOPS / max(each, 1)) // CPU_MULTIPLE * CPU_MULTIPLE
                most = min(max(cached, CPU_MULTIPLE), CPU_MOST)
            self._largest_batch = batch_size(self._data, most)
        return self._largest_batch

    def _size(self, state: State, split: str) -> int:
        """The number of examples of a batch, a multiple of the number of devices."""
        most = min(self._at_once(state), self._data.size(split))
        return -(-most // self._mesh.size) * self._mesh.size

    def _nothing(self, state: Any) -> metrics.Metrics:
        """The metrics of no examples."""
        if self._zero is None:
            zero = metrics.nothing(self._learner.evaluate, state, self._data.example())
            self._zero = devices.put(zero, devices.replicated(self._mesh))
        assert self._zero is not None
        return self._zero

    def _stacks(self, data: Dataset, split: str, size: int) -> Iterable[tuple[Batch, int]]:
        """Stacks of batches with a ``mask``, and the number of batches that each stack holds."""
        if split in self._on_device:
            return self._on_device[split]
        stacks = self._make_stacks(data, split, size)
        # The training split is measured only once, at the end.
        if split == "train" or data.size(split) * _bytes_of_one(data) > MOST_BYTES:
            return stacks
        return self._on_device.setdefault(split, list(stacks))

    def _make_stacks(self, data: Dataset, split: str, size: int) -> Iterator[tuple[Batch, int]]:
        batches = itertools.islice(data.batches(split, size), self._most_batches)
        own = devices.own_rows(size, self._mesh)
        height = _height(data, size)
        if self._most_batches is not None:
            height = min(height, self._most_batches)
        while found := list(itertools.islice(batches, height)):
            count = len(found)
            found += [found[0]] * (height - len(found))
            stack = jax.tree.map(lambda *arrays: np.stack([one[own] for one in arrays]), *found)
            yield devices.put_share(stack, self._mesh, axis=1), count


def _height(data: Dataset, size: int) -> int:
    """The number of batches of a stack, such that all splits share a program of limited memory."""
    fewest = min(-(-data.size(name) // size) for name in data.splits)
    return max(1, min(fewest, MOST_BYTES // (size * _bytes_of_one(data))))


def _bytes_of_one(data: Dataset) -> int:
    return parameters.size_in_bytes(dict(data.stored))


def _measurement(learner: Any, data: Dataset | Stream) -> Callable:
    """Returns ``(state, batch, total) -> total``, which adds the metrics of the batch."""

    def measure(state: State, batch: Batch, total: metrics.Metrics) -> metrics.Metrics:
        return metrics.add(total, learner.evaluate(state, data.prepare(batch)))

    return measure


def _over_rows(measure: Callable) -> Callable:
    """Returns ``(state, stack, first, end, nothing) -> rows``, the metrics of each batch.

    The rows before ``first`` and from ``end`` on are ``nothing``.
    """

    def measure_rows(
        state: State, stack: Any, first: Any, end: Any, nothing: metrics.Metrics
    ) -> metrics.Metrics:
        height = len(jax.tree.leaves(stack)[0])

        def body(row: jax.Array, rows: metrics.Metrics) -> metrics.Metrics:
            batch = jax.tree.map(lambda array: array[row], stack)
            measured = measure(state, batch, nothing)
            return jax.tree.map(lambda array, one: array.at[row].set(one), rows, measured)

        rows = jax.tree.map(lambda one: jnp.broadcast_to(one, (height, *one.shape)), nothing)
        return jax.lax.fori_loop(first, end, body, rows)

    return measure_rows


def _sum(total: metrics.Metrics, rows: metrics.Metrics) -> metrics.Metrics:
    """Adds the metrics of batches."""
    return metrics.add(total, jax.tree.map(lambda array: array.sum(0, array.dtype), rows))
