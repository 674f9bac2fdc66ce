"""Evaluation of a whole split, every example counted once."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from nnjax import metrics
from nnjax.data.dataset import STREAM_BATCH, Batch, Dataset, Stream
from nnjax.learners.state import State
from nnjax.training import devices

BATCH = 500
"""Examples evaluated at once: large enough for full speed, small enough for any memory."""


class Evaluator:
    """Measures splits of a data set with a learner's ``evaluate``."""

    def __init__(self, learner: Any, data: Dataset | Stream, mesh: Mesh):
        self._data = data
        self._mesh = mesh
        self._arrays: dict[str, Batch] = {}
        spread = devices.split_batch(mesh)
        # Apart from the measuring, so that one program measures batches of every split.
        self._take = jax.jit(_taking(data), static_argnums=2, out_shardings=spread)
        self._measure = jax.jit(_measurement(learner, data))
        self._nothing = jax.jit(_nothing(learner, data), out_shardings=devices.replicated(mesh))

    def __call__(self, state: State, split: str) -> dict[str, float]:
        """The metrics of a split, as numbers by name."""
        total = None
        for batch in self._batches(split):
            total = self._nothing(state, batch) if total is None else total
            total = self._measure(state, batch, total)
        assert total is not None
        return metrics.values(total)

    def _batches(self, split: str) -> Iterator[Batch]:
        """Batches with a ``mask``, of a size that is a multiple of the devices."""
        examples = self._data.size(split)
        most = BATCH if isinstance(self._data, Dataset) else STREAM_BATCH
        size = -(-min(most, examples) // self._mesh.size) * self._mesh.size
        if not isinstance(self._data, Dataset):
            for batch in self._data.batches(split, size):
                yield jax.device_put(dict(batch), devices.split_batch(self._mesh))
            return
        arrays = self._on_device(split)
        for first in range(0, examples, size):
            yield self._take(arrays, np.int32(first), size, np.int32(examples))

    def _on_device(self, split: str) -> Batch:
        if split not in self._arrays:
            assert isinstance(self._data, Dataset)
            arrays = jax.tree.map(np.asarray, dict(self._data.split(split)))
            self._arrays[split] = jax.device_put(arrays, devices.replicated(self._mesh))
        return self._arrays[split]


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


def _taking(data: Dataset | Stream) -> Callable:
    """``(arrays, first, size, examples) -> batch`` of the examples from ``first`` on, masked."""

    def take(arrays: Batch, first: jax.Array, size: int, examples: jax.Array) -> Batch:
        assert isinstance(data, Dataset)
        index = first + jnp.arange(size, dtype=jnp.int32)
        batch = data.take(arrays, index)
        return {**batch, "mask": (index < examples).astype(jnp.float32)}

    return take
