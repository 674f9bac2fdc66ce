"""Evaluation of a whole split, every example counted once."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from nnjax import flops, metrics, parameters
from nnjax.data.dataset import STREAM_BATCH, Batch, Dataset, Stream
from nnjax.learners.state import State
from nnjax.training import devices
from nnjax.training.shares import ShareReader

BATCH = 500
"""Examples evaluated at once: large enough for full speed, small enough for any memory."""

MOST_OUTPUTS = 2**25
"""Outputs at once, 128 MB of them: there is one for every word at every place of a text."""


def batch_size(data: Dataset | Stream, most: int = BATCH) -> int:
    """How many examples to evaluate at once, at ``most``."""
    places = math.prod(data.stored["targets"].shape)
    most = most if isinstance(data, Dataset) else STREAM_BATCH
    return max(1, min(most, MOST_OUTPUTS // (data.outputs * max(places, 1))))


CACHED_FLOPS = 640e6
"""Floating-point operations of a forward pass on a CPU: what more of them compute at once goes
through its caches to memory and back."""

LEAST, MOST = 32, 256
"""Examples at once on a CPU, however many or few operations they take: a multiple of the first,
since odd sizes do not fill the vector registers."""

MOST_BYTES = 2**28
"""Of the batches that one call measures, and of a split that stays on the devices for the next."""


class Evaluator:
    """Measures splits of a data set with a learner's ``evaluate``.

    Data in memory are measured in a compiled loop over many batches, a stream batch by batch.
    """

    def __init__(self, learner: Any, data: Dataset | Stream, mesh: Mesh):
        self._data = data
        self._learner = learner
        self._mesh = mesh
        self._most: int | None = None
        self._zero: metrics.Metrics | None = None
        self._kept: dict[str, list[tuple[Batch, jax.Array]]] = {}
        measure = _measurement(learner, data)
        self._measure = jax.jit(measure)
        self._measure_stack = jax.jit(_over_a_stack(measure))

    def __call__(self, state: State, split: str) -> dict[str, float]:
        """The metrics of a split, as numbers by name."""
        return metrics.values(self.totals(state, split))

    def totals(self, state: Any, split: str) -> metrics.Metrics:
        """The metrics of a split, as sums on the device."""
        size = self._size(state, split)
        total = self._nothing(state)
        if isinstance(self._data, Dataset):
            for stack, count in self._stacks(self._data, split, size):
                total = self._measure_stack(state, stack, count, total)
        else:
            read = self._data.batches
            for batch in ShareReader(read, split, size, rows=size, mesh=self._mesh):
                total = self._measure(state, batch, total)
        return total

    def _at_once(self, state: State) -> int:
        """How many examples to measure at once, at most; found at the first call."""
        if self._most is None:
            most = BATCH
            if self._mesh.devices.flat[0].platform == "cpu":
                each = flops.count(self._learner.evaluate, state, self._data.example())
                cached = int(CACHED_FLOPS / max(each, 1)) // LEAST * LEAST
                most = min(max(cached, LEAST), MOST)
            self._most = batch_size(self._data, most)
        return self._most

    def _size(self, state: State, split: str) -> int:
        """Examples of a batch, a multiple of the devices."""
        most = min(self._at_once(state), self._data.size(split))
        return -(-most // self._mesh.size) * self._mesh.size

    def _nothing(self, state: Any) -> metrics.Metrics:
        """The metrics of no examples."""
        if self._zero is None:
            zero = metrics.nothing(self._learner.evaluate, state, self._data.example())
            self._zero = devices.put(zero, devices.replicated(self._mesh))
        assert self._zero is not None
        return self._zero

    def _stacks(self, data: Dataset, split: str, size: int) -> Iterable[tuple[Batch, jax.Array]]:
        """Batches with a ``mask``, one upon another, and how many of each stack are any."""
        if split in self._kept:
            return self._kept[split]
        stacks = self._stacked(data, split, size)
        # The training split is measured once, at the end.
        if split == "train" or data.size(split) * _bytes_of_one(data) > MOST_BYTES:
            return stacks
        return self._kept.setdefault(split, list(stacks))

    def _stacked(self, data: Dataset, split: str, size: int) -> Iterator[tuple[Batch, jax.Array]]:
        batches = data.batches(split, size)
        own = devices.own_rows(size, self._mesh)
        height = _height(data, size)
        while found := list(itertools.islice(batches, height)):
            count = devices.put(np.int32(len(found)), devices.replicated(self._mesh))
            found += [found[0]] * (height - len(found))
            stack = jax.tree.map(lambda *arrays: np.stack([one[own] for one in arrays]), *found)
            yield devices.put_share(stack, self._mesh, axis=1), count


def _height(data: Dataset, size: int) -> int:
    """Batches of a stack: no split needs another program, and none much more memory."""
    fewest = min(-(-data.size(name) // size) for name in data.splits)
    return max(1, min(fewest, MOST_BYTES // (size * _bytes_of_one(data))))


def _bytes_of_one(data: Dataset) -> int:
    return parameters.size_in_bytes(dict(data.stored))


def _measurement(learner: Any, data: Dataset | Stream) -> Callable:
    """``(state, batch, total) -> total`` with the metrics of the batch added."""

    def measure(state: State, batch: Batch, total: metrics.Metrics) -> metrics.Metrics:
        return metrics.add(total, learner.evaluate(state, data.prepare(batch)))

    return measure


def _over_a_stack(measure: Callable) -> Callable:
    """``(state, stack, count, total) -> total`` with those of the first ``count`` batches added."""

    def measure_stack(state: State, stack: Any, count: jax.Array, total: metrics.Metrics) -> Any:
        def body(row: jax.Array, total: metrics.Metrics) -> metrics.Metrics:
            return measure(state, jax.tree.map(lambda array: array[row], stack), total)

        return jax.lax.fori_loop(0, count, body, total)

    return measure_stack
