"""An exponential moving average of the parameters, kept beside them for evaluation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AverageState(NamedTuple):
    """The average and what it weighs.

    Attributes:
      count: int32 (), updates averaged.
      average: like the parameters; the initial parameters before the first update.
    """

    count: jax.Array
    average: Any


def average_parameters(decay: float | jax.Array) -> optax.GradientTransformation:
    """Averages the parameters that the updates lead to; the updates pass through unchanged.

    a_t = sum_i decay^(t - i) w_i / sum_i decay^(t - i), i = 1 .. t: the initial w_0 has no weight
    (the correction of Adam, Kingma and Ba 2015), and the first average is w_1 itself. To be last in
    a chain, and to be given ``params``.
    """

    def init(params: Any) -> AverageState:
        # Copies: state and parameters are donated together, and a buffer only once.
        return AverageState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = state.count + 1
        # One float32 decay above and below: of 0.9999 in double precision the ratio is not 1.
        rounded = jnp.asarray(decay, jnp.float32)
        weight = (1 - rounded) / (1 - jnp.power(rounded, count.astype(jnp.float32)))
        moved = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, w: a + weight * (w - a), state.average, moved)
        return updates, AverageState(count, average)

    return optax.GradientTransformation(init, update)


def find_average(optimizer_state: Any) -> Any:
    """The averaged parameters inside an optimizer state.

    Raises:
      ValueError: there are none.
    """

    def is_average(node: Any) -> bool:
        return isinstance(node, AverageState)

    for node in jax.tree.leaves(optimizer_state, is_leaf=is_average):
        if is_average(node):
            return node.average
    raise ValueError("this optimizer state holds no average of the parameters")
