"""Long short-term memory."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import (
    Gates,
    first_of_carry,
    gate_scales,
    sigmoid_from_tanh,
    sigmoid_slope_from_tanh,
    tanh_slope,
)
from nnjax.layers.cells.timescales import check_timescale, initial_bias
from nnjax.layers.cells.weights import recurrent_product, split

LSTMCarry = tuple[jax.Array, jax.Array]
"""h and c, each (batch, features)."""


def _forward(carry: LSTMCarry, projected: jax.Array, product: jax.Array):
    _, c = carry
    halves = gate_scales(0.5, 0.5, 1.0, 0.5, units=len(c), dtype=c.dtype)
    t = jnp.tanh((projected + product) * halves)
    i, f, g, o = jnp.split(t, 4)
    c_after = sigmoid_from_tanh(f) * c + sigmoid_from_tanh(i) * g
    phi = jnp.tanh(c_after)
    return (sigmoid_from_tanh(o) * phi, c_after), (t, c, phi)


def _backward(residuals, h, d_carry: LSTMCarry):
    t, c, phi = residuals
    d_h, d_c = d_carry
    i, f, g, o = jnp.split(t, 4)
    d_c = d_c + d_h * sigmoid_from_tanh(o) * tanh_slope(phi)
    d_gates = [
        d_c * g * sigmoid_slope_from_tanh(i),
        d_c * c * sigmoid_slope_from_tanh(f),
        d_c * sigmoid_from_tanh(i) * tanh_slope(g),
        d_h * phi * sigmoid_slope_from_tanh(o),
    ]
    return (jnp.zeros_like(d_h), d_c * sigmoid_from_tanh(f)), (jnp.concatenate(d_gates),)


_GATES = Gates(_forward, _backward, first_of_carry)


class LSTMCell(GatedCell):
    """Long short-term memory with a forget gate (Hochreiter 1997, Gers 2000).

    i, f, o = sigmoid(x_t W + h_{t-1} U + b), each with its own W, U and b
    g       = phi(x_t W + h_{t-1} U + b)
    c_t     = f * c_{t-1} + i * g
    h_t     = o * phi(c_t)

    The gates are packed in the order i, f, g, o, which is that of PyTorch, Keras and cuDNN. The
    carry is (h, c), each (batch, features); the output is h.

    Attributes:
      features: width of h and c.
      activation: phi.
      forget_bias: initial b of the forget gate; at 1 the cell remembers from the start
        (Jozefowicz et al. 2015). May be traced.
      timescale: the longest time span to remember, in steps, above 2. It replaces ``forget_bias``:
        the forget gates start with time spans u spread up to it, b = log u, and the input gates
        open as rarely, b = -log u ("chrono initialisation", Tallec and Ollivier 2018). May be
        traced.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import LSTMCell
      >>> cell, x = LSTMCell(features=5), jax.numpy.ones((2, 3))
      >>> (carry, h), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> h.shape
      (2, 5)
    """

    forget_bias: float = 1.0
    timescale: float | None = None

    def __post_init__(self):
        check_timescale(self.timescale)
        super().__post_init__()

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The gates, in the order in which they are packed."""
        return ("i", "f", "g", "o")

    @nn.nowrap
    def initial_bias(self, key: jax.Array) -> tuple[Any, ...]:
        """The initial b of each gate: zeros, except for f and, with a timescale, i."""
        return initial_bias(key, self.gate_names, self.features, self.forget_bias, self.timescale)

    @nn.nowrap
    def init_carry(self, batch: int, dtype: Any = jnp.float32) -> LSTMCarry:
        """The state (h, c) before the first step: zeros, each (batch, features)."""
        zeros = jnp.zeros((batch, self.features), dtype)
        return zeros, zeros

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: LSTMCarry,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> LSTMCarry:
        """The state (h_t, c_t)."""
        product = recurrent_product(weights, carry[0], state_mask)
        if self.activation == "tanh":
            return _GATES.advance(carry, projected, product)
        phi = activations.by_name(self.activation)
        i, f, g, o = split(projected + product, 4)
        c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * phi(g)
        return jax.nn.sigmoid(o) * phi(c), c

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step without its product; None unless phi is tanh."""
        return _GATES if self.activation == "tanh" else None

    @nn.nowrap
    def output(self, carry: LSTMCarry) -> jax.Array:
        """The output h_t."""
        return carry[0]
