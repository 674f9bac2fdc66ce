"""Lifts a learner's step over many batches: a compiled loop, or one call per batch of a stream.

``Carry`` holds what goes from update to update. The updates have the same bits wherever a sequence
of them is divided into calls.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.sharding import Sharding

from nnjax.data.dataset import Batch
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.metrics import Metrics, nothing
from nnjax.metrics import add as add_metrics

NEVER = 2**31 - 1
"""``Carry.diverged_at`` while every loss is finite."""

Prepare = Callable[[Batch, jax.Array | None], Batch]

Take = Callable[[Any, jax.Array], Batch]
"""``(data, row) -> batch``: one batch of a block, pure; see :mod:`nnjax.training.blocks`."""


@flax.struct.dataclass
class Carry:
    """What goes from update to update.

    Attributes:
      state: the learner's state.
      totals: metrics summed since the last record was written.
      diverged_at: int32 (), the first step whose loss was not finite, or ``NEVER``.
    """

    state: State
    totals: Metrics
    diverged_at: jax.Array


def start(learner: Any, state: State, example: Batch) -> Carry:
    """Returns the carry before the first update."""
    totals = nothing(lambda *given: _measured(learner, learner.step(*given)), state, example)
    return Carry(state, totals, jnp.full((), NEVER, jnp.int32))


def _measured(learner: Any, result: Any) -> Metrics:
    """The metrics that a step returned.

    Raises:
      UserError: the step of a user's own learner returned something other than state and metrics.
    """
    name = type(learner).__name__
    if not (isinstance(result, tuple) and len(result) == 2):
        raise UserError(f"step of {name} must return a pair, the state after it and the metrics")
    measured = result[1]
    if not isinstance(measured, Mapping) or "loss" not in measured:
        raise UserError(f"step of {name} measures no 'loss'; return metrics with one by that name")
    for metric, value in measured.items():
        if not hasattr(value, "value"):
            raise UserError(
                f"step of {name} returns a plain number as '{metric}'; return a Mean of "
                "nnjax.metrics, which adds up over batches: Mean.of(values, mask)"
            )
    return measured


def update(learner: Any, prepare: Prepare, carry: Carry, batch: Batch) -> Carry:
    """Returns the carry after one update from a batch as stored; pure."""
    augment_key = jax.random.fold_in(jax.random.fold_in(carry.state.key, carry.state.step), 1)
    state, measured = learner.step(carry.state, prepare(batch, augment_key))
    finite = jnp.isfinite(measured["loss"].total)
    diverged_at = jnp.where(finite, carry.diverged_at, jnp.minimum(carry.diverged_at, state.step))
    return Carry(state, add_metrics(carry.totals, measured), diverged_at)


def compiled_loop(
    learner: Any, prepare: Prepare, take: Take, sharding: Sharding | None = None
) -> Callable:
    """Returns a program of many updates, ``(carry, data, first, stop) -> carry``.

    It takes rows ``first`` to ``stop`` - 1 of ``data``. The bounds are traced, so that any number
    of updates runs in the same program.

    Args:
      learner: its ``step`` makes an update.
      prepare: as :meth:`nnjax.data.dataset.Described.prepare`.
      take: makes a batch of a row of the data.
      sharding: of the carry that is returned, which must equal that of the carry that is given;
        None leaves it to the compiler, which may shard what belongs to rows of the batch.
    """

    def run(carry: Carry, data: Any, first: jax.Array, stop: jax.Array) -> Carry:
        def body(row: jax.Array, carry: Carry) -> Carry:
            return update(learner, prepare, carry, take(data, row))

        return jax.lax.fori_loop(first, stop, body, carry)

    return jax.jit(run, donate_argnums=0, out_shardings=sharding)


def streamed_update(learner: Any, prepare: Prepare, sharding: Sharding | None = None) -> Callable:
    """Returns a program of one update from a batch of a stream, ``(carry, batch) -> carry``."""

    def run(carry: Carry, batch: Batch) -> Carry:
        return update(learner, prepare, carry, batch)

    return jax.jit(run, donate_argnums=0, out_shardings=sharding)
