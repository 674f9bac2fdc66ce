"""Long short-term memory that forgets as much as it writes."""

import flax.linen as nn
import jax

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.lstm import LSTMCarry, LSTMCell
from nnjax.layers.cells.lstm_coupled_gates import COUPLED_GATES
from nnjax.layers.cells.weights import recurrent, split


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
      timescale: the longest span to be remembered, in steps; see ``LSTMCell``.
      bias: one vector b a gate, "double" for a second one beside U, or "none".
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.
    """

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The order in which gates are packed."""
        return ("f", "g", "o")

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: LSTMCarry,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> LSTMCarry:
        """h_t and c_t."""
        h, c = carry
        product = recurrent(weights, h, kept)
        if self.activation == "tanh":
            return COUPLED_GATES.advance(carry, projected, product)
        phi = activations.by_name(self.activation)
        f, g, o = split(projected + product, 3)
        f = jax.nn.sigmoid(f)
        c = f * c + (1 - f) * phi(g)
        return jax.nn.sigmoid(o) * phi(c), c

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step but for its product; None where the activation is another than tanh."""
        return COUPLED_GATES if self.activation == "tanh" else None
