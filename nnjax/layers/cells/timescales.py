"""Initial biases of LSTM gates, which decide how long an untrained cell remembers."""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.traced import check_number


def check_timescale(timescale: Any) -> None:
    """Raises a ``UserError`` if the timescale is not above 2 steps; None and traced ones pass."""
    check_number("timescale", timescale, above=2)


def initial_bias(
    key: jax.Array,
    gate_names: tuple[str, ...],
    units: int,
    forget_bias: float | jax.Array,
    timescale: float | jax.Array | None,
) -> tuple[Any, ...]:
    """The initial bias of each gate: zeros, except for "f" and, with a timescale, "i".

    A forget gate sigmoid(log u) = u / (u + 1) lets a memory decay to 1 / e in about u steps. u is
    drawn uniformly from [1, timescale - 1], so that there are units for every time span. Their
    input gates have the bias -log u, so that a unit that remembers for longer is written to less
    often ("chrono initialisation", Tallec and Ollivier 2018).

    Args:
      key: typed PRNG key.
      gate_names: the gates, in the order in which they are packed.
      units: width of each gate.
      forget_bias: bias of the forget gates if there is no timescale; may be traced.
      timescale: the longest time span to remember, in steps; may be traced.

    Returns:
      A number, or (units,) float32, for each gate.
    """
    given: dict[str, Any] = {"f": forget_bias}
    if timescale is not None:
        forget = jnp.log1p((timescale - 2) * jax.random.uniform(key, (units,), jnp.float32))
        given = {"f": forget, "i": -forget}
    return tuple(given.get(name, 0.0) for name in gate_names)
