"""Long short-term memory."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.lstm_gates import LSTM_GATES
from nnjax.layers.cells.timescales import check_timescale, initial_bias
from nnjax.layers.cells.weights import recurrent, split

LSTMCarry = tuple[jax.Array, jax.Array]
"""h and c, each (batch, features)."""


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
      timescale: the longest span to be remembered, in steps, above 2. Instead of ``forget_bias``
        the forget gates then start at every span up to it, b = log u, and the input gates the less
        open, b = -log u ("chrono initialisation", Tallec and Ollivier 2018). May be traced.
      bias: one vector b a gate, "double" for a second one beside U, or "none".
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.
    """

    forget_bias: float = 1.0
    timescale: float | None = None

    def __post_init__(self):
        check_timescale(self.timescale)
        super().__post_init__()

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The order in which gates are packed."""
        return ("i", "f", "g", "o")

    @nn.nowrap
    def initial_bias(self, key: jax.Array) -> tuple[Any, ...]:
        """Zeros, but for the forget gate and, at a timescale, the input gate."""
        return initial_bias(key, self.gate_names, self.features, self.forget_bias, self.timescale)

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
        product = recurrent(weights, carry[0], kept)
        if self.activation == "tanh":
            return LSTM_GATES.advance(carry, projected, product)
        phi = activations.by_name(self.activation)
        i, f, g, o = split(projected + product, 4)
        c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * phi(g)
        return jax.nn.sigmoid(o) * phi(c), c

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step but for its product; None where the activation is another than tanh."""
        return LSTM_GATES if self.activation == "tanh" else None

    @nn.nowrap
    def output(self, carry: LSTMCarry) -> jax.Array:
        """h_t."""
        return carry[0]
