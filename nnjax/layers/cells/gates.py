"""The elementwise part of a cell's step, with its derivative written by hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Carry = Any
"""A pytree of arrays (batch, ...): everything that a cell carries from one step to the next."""


class Gates(NamedTuple):
    """The step of a cell whose state enters a single product, without the products.

    For cells that project by x W + b. With it ``Recurrent`` knows the step's derivative without
    tracing it, saves only ``residuals`` for the backward pass, and computes the gradient of each
    kernel as one product over all time steps. All members are module-level functions or tuples, so
    that two ``Gates`` compare equal and a compiled program is found again. Arrays are
    (units, batch), and those of several gates (gates * units, batch).

    Attributes:
      forward: ``(carry, projected, product) -> (carry, residuals)``; ``projected`` is x W + b and
        ``product`` is hidden(carry) U + b'.
      backward: ``(residuals, hidden(carry), d_carry) -> (d_carry, blocks)``, from the cotangent of
        the state after the step to that of the state before it and to the cotangents of
        ``projected`` and ``product``. These come in blocks of whole gates, so that a block that is
        part of both is stored once.
      hidden: the part of the state that enters the product, which is also the output.
      projected: indices of the blocks that, stacked, are the cotangent of ``projected``.
      product: indices of the blocks that, stacked, are the cotangent of ``product``.
    """

    forward: Callable[[Carry, jax.Array, jax.Array], tuple[Carry, Any]]
    backward: Callable[[Any, jax.Array, Carry], tuple[Carry, tuple[jax.Array, ...]]]
    hidden: Callable[[Carry], jax.Array]
    projected: tuple[int, ...] = (0,)
    product: tuple[int, ...] = (0,)

    def advance(self, carry: Carry, projected: jax.Array, product: jax.Array) -> Carry:
        """The state after one step, for arrays (batch, ...)."""
        # Without the barrier, XLA merges the transposition into the product, which is then several
        # times slower on a CPU.
        projected, product = jax.lax.optimization_barrier((projected, product))
        transposed = jax.tree.map(jnp.transpose, carry)
        return jax.tree.map(jnp.transpose, self.forward(transposed, projected.T, product.T)[0])


def entire_carry(carry: jax.Array) -> jax.Array:
    """``Gates.hidden`` of a cell whose carry is its hidden state alone."""
    return carry


def first_of_carry(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
    """``Gates.hidden`` of a cell whose carry is (h, c)."""
    return carry[0]


def sigmoid_from_tanh(t: jax.Array) -> jax.Array:
    """sigmoid(x), given t = tanh(x / 2).

    One tanh over packed gates then serves sigmoids and tanhs alike, in one loop that the compiler
    vectorises. With several different functions in one loop XLA generates scalar code on a CPU,
    which is several times slower.
    """
    return 0.5 * t + 0.5


def sigmoid_slope_from_tanh(t: jax.Array) -> jax.Array:
    """The derivative of sigmoid at x, given t = tanh(x / 2)."""
    return 0.25 - 0.25 * t * t


def tanh_slope(t: jax.Array) -> jax.Array:
    """The derivative of tanh at x, given t = tanh(x)."""
    return 1 - t * t


def gate_scales(*gates: float, units: int, dtype: Any) -> np.ndarray:
    """One factor for each gate, repeated for each of its units: (gates * units, 1)."""
    # A NumPy constant: computed with `jnp`, it would be recomputed in every iteration of the scan.
    return np.repeat(np.asarray(gates, dtype), units)[:, None]
