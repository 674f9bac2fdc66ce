"""The simple recurrent cell."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import Gates, entire_carry, tanh_slope
from nnjax.layers.cells.weights import recurrent_product


def _tanh_forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    after = jnp.tanh(projected + product)
    return after, after


def _tanh_backward(after: jax.Array, h: jax.Array, d_after: jax.Array):
    return jnp.zeros_like(d_after), (d_after * tanh_slope(after),)


def _relu_forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    after = jax.nn.relu(projected + product)
    return after, after


def _relu_backward(after: jax.Array, h: jax.Array, d_after: jax.Array):
    return jnp.zeros_like(d_after), (jnp.where(after > 0, d_after, 0),)


_GATES = {
    "tanh": Gates(_tanh_forward, _tanh_backward, entire_carry),
    "relu": Gates(_relu_forward, _relu_backward, entire_carry),
}
"""The step without its products, by activation."""


class SimpleCell(GatedCell):
    """The simple recurrent cell (Elman 1990): h_t = f(x_t W + h_{t-1} U + b).

    The carry is h (batch, features), which is also the output.

    Attributes:
      features: width of h.
      activation: f.
      bias: "single" is one vector b, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of W.
      recurrent_init: initialiser of U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import SimpleCell
      >>> cell, x = SimpleCell(features=5), jax.numpy.ones((2, 3))
      >>> (h, output), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> output.shape
      (2, 5)
    """

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> jax.Array:
        """The state h_t."""
        f = activations.by_name(self.activation)
        return f(projected + recurrent_product(weights, carry, state_mask))

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step without its products, with a derivative; None unless f is tanh or relu."""
        return _GATES.get(self.activation)
