"""An exponential moving average of the parameters, kept beside them for evaluation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AverageState(NamedTuple):
    """The average, and the number of updates in it.

    Attributes:
      count: int32 (), updates averaged.
      average: like the parameters; the initial parameters before the first update.
    """

    count: jax.Array
    average: Any


def average_parameters(decay: float | jax.Array) -> optax.GradientTransformation:
    """Returns a transformation that averages the parameters after each update.

    The updates pass through unchanged. a_t = sum_i decay^(t - i) w_i / sum_i decay^(t - i),
    i = 1 .. t: the initial w_0 has no weight (the correction of Adam, Kingma and Ba 2015), so the
    first average is w_1 itself. The transformation must be the last of a chain, and its ``update``
    needs ``params``.
    """

    def init(params: Any) -> AverageState:
        # Copies: state and parameters are donated together, and JAX donates a buffer only once.
        return AverageState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = state.count + 1
        # The same float32 decay in numerator and denominator: with 0.9999 in double precision in
        # one of them, the first weight would not be exactly 1.
        rounded = jnp.asarray(decay, jnp.float32)
        weight = (1 - rounded) / (1 - jnp.power(rounded, count.astype(jnp.float32)))
        moved = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, w: a + weight * (w - a), state.average, moved)
        return updates, AverageState(count, average)

    return optax.GradientTransformation(init, update)


def find_average(optimizer_state: Any) -> Any:
    """Returns the averaged parameters inside an optimizer state.

    Raises:
      ValueError: the state holds no average.
    """

    def is_average(node: Any) -> bool:
        return isinstance(node, AverageState)

    for node in jax.tree.leaves(optimizer_state, is_leaf=is_average):
        if is_average(node):
            return node.average
    raise ValueError("this optimizer state holds no average of the parameters")
