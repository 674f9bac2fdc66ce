"""Long short-term memory with coupled input and forget gates."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gates import (
    Gates,
    first_of_carry,
    gate_scales,
    sigmoid_from_tanh,
    sigmoid_slope_from_tanh,
    tanh_slope,
)
from nnjax.layers.cells.lstm import LSTMCarry, LSTMCell
from nnjax.layers.cells.weights import recurrent_product, split


def _forward(carry: LSTMCarry, projected: jax.Array, product: jax.Array):
    _, c = carry
    halves = gate_scales(0.5, 1.0, 0.5, units=len(c), dtype=c.dtype)
    t = jnp.tanh((projected + product) * halves)
    f, g, o = jnp.split(t, 3)
    forget = sigmoid_from_tanh(f)
    c_after = forget * c + (1 - forget) * g
    phi = jnp.tanh(c_after)
    return (sigmoid_from_tanh(o) * phi, c_after), (t, c, phi)


def _backward(residuals, h, d_carry: LSTMCarry):
    t, c, phi = residuals
    d_h, d_c = d_carry
    f, g, o = jnp.split(t, 3)
    forget = sigmoid_from_tanh(f)
    d_c = d_c + d_h * sigmoid_from_tanh(o) * tanh_slope(phi)
    d_gates = [
        d_c * (c - g) * sigmoid_slope_from_tanh(f),
        d_c * (1 - forget) * tanh_slope(g),
        d_h * phi * sigmoid_slope_from_tanh(o),
    ]
    return (jnp.zeros_like(d_h), d_c * forget), (jnp.concatenate(d_gates),)


_GATES = Gates(_forward, _backward, first_of_carry)


class CoupledLSTMCell(LSTMCell):
    """Long short-term memory with i = 1 - f, a quarter smaller (Greff et al. 2015, "CIFG").

    f, o = sigmoid(x_t W + h_{t-1} U + b), each with its own W, U and b
    g    = phi(x_t W + h_{t-1} U + b)
    c_t  = f * c_{t-1} + (1 - f) * g
    h_t  = o * phi(c_t)

    The gates are packed in the order f, g, o. The carry is (h, c), each (batch, features); the
    output is h.

    Attributes:
      features: width of h and c.
      activation: phi.
      forget_bias: initial b of the forget gate; may be traced.
      timescale: the longest time span to remember, in steps; see ``LSTMCell``.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import CoupledLSTMCell
      >>> cell, x = CoupledLSTMCell(features=5), jax.numpy.ones((2, 3))
      >>> (carry, h), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> h.shape
      (2, 5)
    """

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The gates, in the order in which they are packed."""
        return ("f", "g", "o")

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: LSTMCarry,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> LSTMCarry:
        """The state (h_t, c_t)."""
        h, c = carry
        product = recurrent_product(weights, h, state_mask)
        if self.activation == "tanh":
            return _GATES.advance(carry, projected, product)
        phi = activations.by_name(self.activation)
        f, g, o = split(projected + product, 3)
        f = jax.nn.sigmoid(f)
        c = f * c + (1 - f) * phi(g)
        return jax.nn.sigmoid(o) * phi(c), c

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step without its product; None unless phi is tanh."""
        return _GATES if self.activation == "tanh" else None
