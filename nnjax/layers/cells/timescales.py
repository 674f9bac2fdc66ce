"""How long an LSTM remembers before it has learned to: the initial biases of its gates."""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.traced import check_number


def check_timescale(timescale: Any) -> None:
    """Raises a ``UserError`` where a timescale is too short."""
    check_number("timescale", timescale, above=2)


def initial_bias(
    key: jax.Array,
    gate_names: tuple[str, ...],
    units: int,
    forget_bias: float | jax.Array,
    timescale: float | jax.Array | None,
) -> tuple[Any, ...]:
    """Zeros, but for the forget gates "f" and, at a timescale, the input gates "i".

    A gate sigmoid(log u) = u / (u + 1) lets a memory fall to 1 / e in about u steps. With u uniform
    in [1, timescale - 1] there are units for every span; their input gates open as rarely, with a
    bias of -log u ("chrono initialisation", Tallec and Ollivier 2018).

    Args:
      key: typed PRNG key.
      gate_names: the gates.
      units: width of each gate.
      forget_bias: of the forget gates where no timescale is given; may be traced.
      timescale: the longest span to be remembered, in steps; may be traced.

    Returns:
      For each gate a number, or (units,) float32.
    """
    given: dict[str, Any] = {"f": forget_bias}
    if timescale is not None:
        forget = jnp.log1p((timescale - 2) * jax.random.uniform(key, (units,), jnp.float32))
        given = {"f": forget, "i": -forget}
    return tuple(given.get(name, 0.0) for name in gate_names)
