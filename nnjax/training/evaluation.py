"""Evaluation of a whole split, every example counted once."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from nnjax import metrics
from nnjax.data.dataset import STREAM_BATCH, Batch, Dataset, Stream
from nnjax.learners.state import State
from nnjax.training import devices

BATCH = 2000
"""Examples evaluated at once: large enough for full speed, small enough for any memory."""


class Evaluator:
    """Measures splits of a data set with a learner's ``evaluate``."""

    def __init__(self, learner: Any, data: Dataset | Stream, mesh: Mesh):
        self._data = data
        self._mesh = mesh
        self._arrays: dict[str, Batch] = {}
        self._window = jax.jit(_window_evaluation(learner.evaluate, data, mesh), static_argnums=3)
        self._batch = jax.jit(
            lambda state, batch: learner.evaluate(state, data.prepare(batch, None))
        )

    def __call__(self, state: State, split: str) -> dict[str, float]:
        """The metrics of a split, as numbers by name."""
        if isinstance(self._data, Dataset):
            measured = self._evaluate_arrays(state, split)
        else:
            measured = self._evaluate_stream(state, split)
        return metrics.values(measured)

    def _evaluate_arrays(self, state: State, split: str) -> metrics.Metrics:
        arrays = self._on_device(split)
        examples = self._data.size(split)
        size = window(examples, self._mesh.size)
        total = None
        for first in range(0, examples, size):
            start = jax.device_put(np.int32(first), devices.replicated(self._mesh))
            measured = self._window(state, arrays, start, size)
            total = measured if total is None else metrics.add(total, measured)
        assert total is not None
        return total

    def _evaluate_stream(self, state: State, split: str) -> metrics.Metrics:
        total = None
        count = self._mesh.size
        size = -(-min(STREAM_BATCH, self._data.size(split)) // count) * count
        for batch in self._data.batches(split, size):
            batch = jax.device_put(dict(batch), devices.split_batch(self._mesh))
            measured = self._batch(state, batch)
            total = measured if total is None else metrics.add(total, measured)
        assert total is not None
        return total

    def _on_device(self, split: str) -> Batch:
        if split not in self._arrays:
            arrays = {name: np.asarray(array) for name, array in self._data.split(split).items()}
            self._arrays[split] = jax.device_put(arrays, devices.replicated(self._mesh))
        return self._arrays[split]


def window(examples: int, multiple: int) -> int:
    """How many examples to evaluate at once: a multiple of the devices where there are enough."""
    size = min(BATCH, examples)
    return size // multiple * multiple or size


def _window_evaluation(evaluate: Callable, data: Any, mesh: Mesh) -> Callable:
    """``(state, arrays, first, size) -> metrics`` of the examples from ``first`` on."""

    def run(state: State, arrays: Mapping[str, jax.Array], first: jax.Array, size: int):
        examples = len(arrays["inputs"])
        # A window that would reach past the end begins earlier; what was seen before is masked.
        begin = jnp.minimum(first, examples - size)
        batch = {
            name: jax.lax.dynamic_slice_in_dim(array, begin, size) for name, array in arrays.items()
        }
        if examples % size:
            batch["mask"] = (begin + jnp.arange(size) >= first).astype(jnp.float32)
        if mesh.size > 1 and size % mesh.size == 0:
            batch = jax.lax.with_sharding_constraint(batch, devices.split_batch(mesh))
        return evaluate(state, data.prepare(batch, None))

    return run
