"""Lifting a learner's step over many batches: one compiled loop, or one call an update.

Both forms compute the same numbers: XLA compiles each for itself, so their equality is one of
rounding (on one CPU device they gave the same bits wherever it was tried, dense and convolutional
nets, with dropout, under SGD and Adam). ``Carry`` travels through; where a run of updates is cut
into calls changes nothing, down to the last bit.
"""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, Sharding

from nnjax import flops
from nnjax.data.dataset import Batch
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
    """What goes through the updates.

    Attributes:
      state: the learner's state.
      totals: metrics summed since the last record.
      diverged_at: int32 (), the first step whose loss was not finite, or ``NEVER``.
    """

    state: State
    totals: Metrics
    diverged_at: jax.Array


def start(learner: Any, state: State, example: Batch) -> Carry:
    """The carry before the first update: nothing measured, nothing diverged."""
    totals = nothing(lambda *given: learner.step(*given)[1], state, example)
    return Carry(state, totals, jnp.full((), NEVER, jnp.int32))


def update(learner: Any, prepare: Prepare, carry: Carry, batch: Batch) -> Carry:
    """One update from a batch as stored; pure."""
    augment_key = jax.random.fold_in(jax.random.fold_in(carry.state.key, carry.state.step), 1)
    state, measured = learner.step(carry.state, prepare(batch, augment_key))
    finite = jnp.isfinite(measured["loss"].total)
    diverged_at = jnp.where(finite, carry.diverged_at, jnp.minimum(carry.diverged_at, state.step))
    return Carry(state, add_metrics(carry.totals, measured), diverged_at)


def compiled_loop(
    learner: Any, prepare: Prepare, take: Take, sharding: Sharding | None = None
) -> Callable:
    """Many updates in one program: ``(carry, data, first, stop) -> carry``.

    Rows ``first`` to ``stop`` - 1 of ``data`` are taken. The bounds are traced, so that every
    stretch of updates is the same program.

    Args:
      learner: whose step it is.
      prepare: as :meth:`nnjax.data.dataset.Described.prepare`.
      take: makes a batch of the data.
      sharding: of the carry that comes out, which must be that of the one that goes in; None leaves
        it to the compiler, which may spread what belongs to rows of the batch.
    """

    def run(carry: Carry, data: Any, first: jax.Array, stop: jax.Array) -> Carry:
        def body(row: jax.Array, carry: Carry) -> Carry:
            return update(learner, prepare, carry, take(data, row))

        return jax.lax.fori_loop(first, stop, body, carry)

    return jax.jit(run, donate_argnums=0, out_shardings=sharding)


def dispatched_update(
    learner: Any, prepare: Prepare, take: Take, sharding: Sharding | None = None
) -> Callable:
    """One update a call: ``(carry, data, row) -> (carry, row + 1)``; arguments as above.

    On a CPU the operations of a program's top level run on every core, those inside a compiled loop
    on one; an update large enough to outweigh the call is faster this way.
    """

    def run(carry: Carry, data: Any, row: jax.Array) -> tuple[Carry, jax.Array]:
        return update(learner, prepare, carry, take(data, row)), row + 1

    return jax.jit(run, donate_argnums=0, out_shardings=sharding)


def streamed_update(learner: Any, prepare: Prepare, sharding: Sharding | None = None) -> Callable:
    """One update a call from a batch of a stream: ``(carry, batch) -> carry``."""

    def run(carry: Carry, batch: Batch) -> Carry:
        return update(learner, prepare, carry, batch)

    return jax.jit(run, donate_argnums=0, out_shardings=sharding)


DISPATCH_FLOPS = 100e6
"""Floating-point operations of an update, in its products, from which a CPU runs it faster outside
a loop."""


def prefers_dispatch(learner: Any, example: Batch, mesh: Mesh) -> bool:
    """Whether updates on this mesh are faster one call each than in one compiled loop."""
    if mesh.devices.flat[0].platform != "cpu":
        return False
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(learner.init, key, example)
    return flops.count(learner.step, state, example) > DISPATCH_FLOPS
