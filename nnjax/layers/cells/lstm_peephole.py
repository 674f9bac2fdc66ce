"""Long short-term memory with peephole connections."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations, initializers
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.lstm import LSTMCarry, LSTMCell
from nnjax.layers.cells.weights import cast, recurrent_product, split


class PeepholeLSTMCell(LSTMCell):
    """Long short-term memory whose gates also read the cell state c (Gers and Schmidhuber 2000).

    i, f = sigmoid(x_t W + h_{t-1} U + p * c_{t-1} + b), each with its own W, U, p and b
    g    = phi(x_t W + h_{t-1} U + b)
    c_t  = f * c_{t-1} + i * g
    o    = sigmoid(x_t W + h_{t-1} U + p * c_t + b)
    h_t  = o * phi(c_t)

    The gates are packed in the order i, f, g, o. The carry is (h, c), each (batch, features); the
    output is h.

    Attributes:
      features: width of h and c.
      activation: phi.
      forget_bias: initial b of the forget gate; may be traced.
      timescale: the longest time span to remember, in steps; see ``LSTMCell``.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      peephole_init: initialiser of the vectors p.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import PeepholeLSTMCell
      >>> cell, x = PeepholeLSTMCell(features=5), jax.numpy.ones((2, 3))
      >>> (carry, h), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> h.shape
      (2, 5)
    """

    peephole_init: initializers.Initializer = "zeros"

    @nn.compact
    def weights(self, inputs: int, dtype: Any) -> Weights:
        """Declares those of ``LSTMCell`` and ``peephole`` (3, features): p of i, f and o."""
        draw = initializers.by_name(self.peephole_init)
        peephole = self.param("peephole", draw, (3, self.features), jnp.float32)
        return super().weights(inputs, dtype) | cast({"peephole": peephole}, dtype)

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: LSTMCarry,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> LSTMCarry:
        """The state (h_t, c_t)."""
        phi = activations.by_name(self.activation)
        h, c = carry
        i, f, g, o = split(projected + recurrent_product(weights, h, state_mask), 4)
        p_i, p_f, p_o = weights["peephole"]
        i, f = jax.nn.sigmoid(i + p_i * c), jax.nn.sigmoid(f + p_f * c)
        c = f * c + i * phi(g)
        return jax.nn.sigmoid(o + p_o * c) * phi(c), c

    @nn.nowrap
    def gates(self) -> Gates | None:
        """None: the derivative of the step is left to JAX."""
        return None
