"""Accumulation: one update from the gradients of several batches, of whatever sizes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AccumulationState(NamedTuple):
    """What the batches since the last update have summed up to.

    Attributes:
      batches: int32 (), batches since the last update.
      seen: int32 (), batches since the beginning of the run.
      count: float32 (), examples that the batches since the last update counted.
      total: the sum of their gradients, like the parameters.
      inner: the state of the transformation that makes the updates.
    """

    batches: jax.Array
    seen: jax.Array
    count: jax.Array
    total: Any
    inner: Any


def accumulate(
    inner: optax.GradientTransformation, steps: int, last: int | None = None
) -> optax.GradientTransformationExtraArgs:
    """Makes an update of every ``steps`` batches; between them the updates are zero.

    ``update`` sums gradients and counts and divides once, so that batches of unequal sizes make the
    update of all their examples together. It takes three more arguments:

    * ``count``: examples that the gradient is a *sum* over. With the default of 1 for every batch,
      the gradients are averaged.
    * ``mean``: whether the sum of the gradients is divided by the sum of the counts.
    * ``penalty``: function of the parameters whose value, a gradient, is added once an update.

    Args:
      inner: makes an update of the resulting gradient.
      steps: batches to an update.
      last: batches in the whole run; the last of them makes an update of fewer batches, so that
        no example of the run goes unused. None leaves such batches waiting.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params: Any) -> AccumulationState:
        zero = jnp.zeros((), jnp.int32)
        total = jax.tree.map(jnp.zeros_like, params)
        return AccumulationState(zero, zero, jnp.zeros((), jnp.float32), total, inner.init(params))

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        count: jax.Array | float = 1.0,
        mean: bool = True,
        penalty: Callable[[Any], Any] | None = None,
        **extra: Any,
    ) -> tuple[Any, AccumulationState]:
        total = jax.tree.map(jnp.add, state.total, updates)
        counted = state.count + jnp.asarray(count, jnp.float32)
        batches, seen = state.batches + 1, state.seen + 1
        zeros = jax.tree.map(jnp.zeros_like, total)

        def apply() -> tuple[Any, AccumulationState]:
            # Where every example is masked, the gradient is 0, not 0 / 0.
            divisor = jnp.where(counted > 0, counted, 1.0) if mean else 1.0
            gradient = jax.tree.map(lambda one: (one / divisor).astype(one.dtype), total)
            if penalty is not None:
                gradient = jax.tree.map(jnp.add, gradient, penalty(params))
            made, after = inner.update(gradient, state.inner, params, **extra)
            nothing = jnp.zeros_like(counted)
            return made, AccumulationState(jnp.zeros_like(batches), seen, nothing, zeros, after)

        def wait() -> tuple[Any, AccumulationState]:
            return zeros, AccumulationState(batches, seen, counted, total, state.inner)

        is_due = batches >= steps
        if last is not None:
            is_due = is_due | (seen == last)
        return jax.lax.cond(is_due, apply, wait)

    return optax.GradientTransformationExtraArgs(init, update)
