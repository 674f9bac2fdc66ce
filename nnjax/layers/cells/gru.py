"""The gated recurrent unit."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import (
    Gates,
    entire_carry,
    sigmoid_from_tanh,
    sigmoid_slope_from_tanh,
    tanh_slope,
)
from nnjax.layers.cells.weights import recurrent_product, split


def _forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    cut = 2 * len(h)
    t = jnp.tanh(0.5 * (projected[:cut] + product[:cut]))
    r, z = jnp.split(sigmoid_from_tanh(t), 2)
    h_n = product[cut:]
    n = jnp.tanh(projected[cut:] + r * h_n)
    return z * h + (1 - z) * n, (t, n, h_n)


def _backward(residuals, h: jax.Array, d_h: jax.Array):
    t, n, h_n = residuals
    t_r, t_z = jnp.split(t, 2)
    r, z = sigmoid_from_tanh(t_r), sigmoid_from_tanh(t_z)
    d_n = d_h * (1 - z) * tanh_slope(n)
    d_r = d_n * h_n * sigmoid_slope_from_tanh(t_r)
    d_z = d_h * (h - n) * sigmoid_slope_from_tanh(t_z)
    return d_h * z, (jnp.concatenate([d_r, d_z]), d_n, d_n * r)


# With a reset "after" the product and tanh. The cotangents of x W_n and of h U_n differ by r.
_GATES = Gates(_forward, _backward, entire_carry, projected=(0, 1), product=(0, 2))


class GRUCell(GatedCell):
    """The gated recurrent unit (Cho et al. 2014).

    r, z = sigmoid(x_t W + h_{t-1} U + b), each with its own W, U and b
    n    = phi(x_t W_n + b_n + (r * h_{t-1}) U_n)        reset "before" the product, as published
    n    = phi(x_t W_n + b_n + r * (h_{t-1} U_n + b'_n)) reset "after" it, as in PyTorch and cuDNN
    h_t  = z * h_{t-1} + (1 - z) * n

    b'_n exists with the "double" bias, as in PyTorch, and in Keras where ``reset_after=True``. The
    gates are packed in the order r, z, n, which is PyTorch's. The carry is h (batch, features),
    which is also the output.

    Attributes:
      features: width of h.
      reset: whether the reset gate acts "before" or "after" the product; "after" needs one product
        a step instead of two.
      activation: phi.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import GRUCell
      >>> cell, x = GRUCell(features=5), jax.numpy.ones((2, 3))
      >>> (h, output), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> output.shape
      (2, 5)
    """

    reset: Literal["before", "after"] = "after"

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The gates, in the order in which they are packed."""
        return ("r", "z", "n")

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> jax.Array:
        """The state h_t."""
        if self.reset == "before":
            return self._reset_before(weights, carry, projected, state_mask)
        product = recurrent_product(weights, carry, state_mask)
        if self.activation == "tanh":
            return _GATES.advance(carry, projected, product)
        (x_r, x_z, x_n), (h_r, h_z, h_n) = split(projected, 3), split(product, 3)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        return z * carry + (1 - z) * activations.by_name(self.activation)(x_n + r * h_n)

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step without its products; None unless the reset is "after" and phi is tanh."""
        return _GATES if self.reset == "after" and self.activation == "tanh" else None

    @nn.nowrap
    def _reset_before(self, weights, h, projected, state_mask):
        cut = 2 * self.features
        gates = {name: weight[..., :cut] for name, weight in weights.items()}
        candidate = {name: weight[..., cut:] for name, weight in weights.items()}
        product = recurrent_product(gates, h, state_mask)
        r, z = split(jax.nn.sigmoid(projected[..., :cut] + product), 2)
        n = projected[..., cut:] + recurrent_product(candidate, r * h, state_mask)
        return z * h + (1 - z) * activations.by_name(self.activation)(n)
