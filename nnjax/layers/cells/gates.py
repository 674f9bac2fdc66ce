"""What a step does element by element, with its derivative written by hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Carry = Any
"""A pytree of arrays (batch, ...): everything that a cell remembers from one step to the next."""


class Gates(NamedTuple):
    """The step of a cell whose state enters one product: all of it but the products.

    For cells that project by x W + b. ``Recurrent`` then knows the step's derivative without
    tracing it, keeps only ``residuals`` for it, and computes the gradients of kernels by one
    product over all time steps. All are pure functions that can be compared, so the same program
    is found again. Arrays are (units, batch), and those of several gates (gates * units, batch).

    Attributes:
      forward: ``(carry, projected, product) -> (carry, residuals)``; ``projected`` is x W + b and
        ``product`` hidden(carry) U + b'.
      backward: ``(residuals, hidden(carry), d_carry) -> (d_carry, blocks)``, from the cotangent of
        the state after to that of the state before and to those of ``projected`` and ``product``,
        in blocks of whole gates, so that what is in both is kept once.
      hidden: what of the state enters the product; also the output.
      projected: places of the blocks that, one below the other, are the cotangent of
        ``projected``.
      product: the same for ``product``.
    """

    forward: Callable[[Carry, jax.Array, jax.Array], tuple[Carry, Any]]
    backward: Callable[[Any, jax.Array, Carry], tuple[Carry, tuple[jax.Array, ...]]]
    hidden: Callable[[Carry], jax.Array]
    projected: tuple[int, ...] = (0,)
    product: tuple[int, ...] = (0,)

    def advance(self, carry: Carry, projected: jax.Array, product: jax.Array) -> Carry:
        """The state after a step alone, all arrays being (batch, ...)."""
        # XLA would make the transposition part of the product, several times slower on a CPU.
        projected, product = jax.lax.optimization_barrier((projected, product))
        turned = jax.tree.map(jnp.transpose, carry)
        return jax.tree.map(jnp.transpose, self.forward(turned, projected.T, product.T)[0])


def whole(carry: jax.Array) -> jax.Array:
    """``hidden`` of a cell that carries nothing else."""
    return carry


def sigmoid_of(t: jax.Array) -> jax.Array:
    """sigmoid(x) of t = tanh(x / 2).

    So one tanh over packed gates does for sigmoids and tanhs, one loop that a compiler vectorises;
    of several in one loop XLA makes scalar code on a CPU, several times slower.
    """
    return 0.5 * t + 0.5


def sigmoid_slope_of(t: jax.Array) -> jax.Array:
    """The derivative of sigmoid at x, of t = tanh(x / 2)."""
    return 0.25 - 0.25 * t * t


def tanh_slope_of(t: jax.Array) -> jax.Array:
    """The derivative of tanh at x, of t = tanh(x)."""
    return 1 - t * t


def scales(*gates: float, units: int, dtype: Any) -> np.ndarray:
    """A factor a gate, each repeated for its units: (gates * units, 1)."""
    # Of NumPy, so that it is a constant: what is computed within the loop slows all of it.
    return np.repeat(np.asarray(gates, dtype), units)[:, None]
