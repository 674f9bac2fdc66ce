"""The simple recurrent cell."""

import flax.linen as nn
import jax

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.simple_gates import SIMPLE_GATES
from nnjax.layers.cells.weights import recurrent


class SimpleCell(GatedCell):
    """The simple recurrent cell (Elman 1990): h_t = f(x_t W + h_{t-1} U + b).

    The carry is h (batch, features), which is also the output.

    Attributes:
      features: width of h.
      activation: f.
      bias: one vector b, "double" for a second one beside U, or "none".
      kernel_init: initialiser of W.
      recurrent_init: initialiser of U.
      init_scale: factor on the initial W and U; may be traced.
    """

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> jax.Array:
        """h_t."""
        f = activations.by_name(self.activation)
        return f(projected + recurrent(weights, carry, kept))

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step but for its products, with its derivative; None where that is left to JAX."""
        return SIMPLE_GATES.get(self.activation)
