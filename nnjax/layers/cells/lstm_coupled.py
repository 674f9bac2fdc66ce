"""Long short-term memory that forgets as much as it writes."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.lstm import LSTMCarry
from nnjax.layers.cells.weights import recurrent, split


class CoupledLSTMCell(GatedCell):
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
      bias: one vector b a gate, "double" for a second one beside U, or "none".
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.
    """

    forget_bias: float = 1.0

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The order in which gates are packed."""
        return ("f", "g", "o")

    @property
    def initial_bias(self) -> tuple[Any, ...]:
        """Zeros, but for the forget gate."""
        return (self.forget_bias, 0.0, 0.0)

    @nn.nowrap
    def init_carry(self, batch: int, dtype: Any = jnp.float32) -> LSTMCarry:
        """Both before the first step: zeros (batch, features)."""
        zeros = jnp.zeros((batch, self.features), dtype)
        return zeros, zeros

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: LSTMCarry,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> LSTMCarry:
        """h_t and c_t."""
        phi = activations.by_name(self.activation)
        h, c = carry
        f, g, o = split(projected + recurrent(weights, h, kept), 3)
        f = jax.nn.sigmoid(f)
        c = f * c + (1 - f) * phi(g)
        return jax.nn.sigmoid(o) * phi(c), c

    @nn.nowrap
    def output(self, carry: LSTMCarry) -> jax.Array:
        """h_t."""
        return carry[0]
