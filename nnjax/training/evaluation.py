"""Evaluation of a whole split, every example counted once."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
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


CACHED_FLOPS = 250e6
"""Floating-point operations of a forward pass on a CPU: what more of them compute at once goes
through its caches to memory and back, and takes twice as long."""

LEAST, MOST = 128, 2048
"""Examples at once on a CPU, however many or few operations they take: a multiple of the first,
since odd sizes do not fill the vector registers."""


MOST_KEPT = 2**28
"""Bytes of a split whose batches are kept on the devices from one evaluation to the next."""


class Evaluator:
    """Measures splits of a data set with a learner's ``evaluate``."""

    def __init__(self, learner: Any, data: Dataset | Stream, mesh: Mesh):
        self._data = data
        self._learner = learner
        self._mesh = mesh
        self._most: int | None = None
        self._kept: dict[str, list[Batch]] = {}
        self._measure = jax.jit(_measurement(learner, data))
        self._nothing = jax.jit(_nothing(learner, data), out_shardings=devices.replicated(mesh))

    def __call__(self, state: State, split: str) -> dict[str, float]:
        """The metrics of a split, as numbers by name."""
        return metrics.values(self.totals(state, split))

    def totals(self, state: Any, split: str) -> metrics.Metrics:
        """The metrics of a split, as sums on the device."""
        total = None
        for batch in self._batches(split, self._at_once(state)):
            total = self._nothing(state, batch) if total is None else total
            total = self._measure(state, batch, total)
        assert total is not None
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

    def _batches(self, split: str, most: int) -> Iterable[Batch]:
        """Batches with a ``mask``, of a size that is a multiple of the devices."""
        if split in self._kept:
            return self._kept[split]
        examples = self._data.size(split)
        size = -(-min(most, examples) // self._mesh.size) * self._mesh.size
        batches = ShareReader(self._data.batches, split, size, rows=size, mesh=self._mesh)
        if not self._is_worth_keeping(split):
            return batches
        return self._kept.setdefault(split, list(batches))

    def _is_worth_keeping(self, split: str) -> bool:
        """Whether a split is measured again and again, and small enough to stay on the devices."""
        size = self._data.size(split) * parameters.size_in_bytes(dict(self._data.stored))
        return isinstance(self._data, Dataset) and split != "train" and size <= MOST_KEPT


def _measurement(learner: Any, data: Dataset | Stream) -> Callable:
    """``(state, batch, total) -> total`` with the metrics of the batch added."""

    def measure(state: State, batch: Batch, total: metrics.Metrics) -> metrics.Metrics:
        return metrics.add(total, learner.evaluate(state, data.prepare(batch)))

    return measure


def _nothing(learner: Any, data: Dataset | Stream) -> Callable:
    """``(state, batch) -> total`` of no examples."""

    def zeros(state: State, batch: Batch) -> metrics.Metrics:
        return metrics.nothing(lambda: learner.evaluate(state, data.prepare(batch)))

    return zeros
