"""The gated recurrent unit."""

from typing import Literal

import flax.linen as nn
import jax

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.gru_gates import GRU_GATES
from nnjax.layers.cells.weights import recurrent, split


class GRUCell(GatedCell):
    """The gated recurrent unit (Cho et al. 2014).

    r, z = sigmoid(x_t W + h_{t-1} U + b), each with its own W, U and b
    n    = phi(x_t W_n + b_n + (r * h_{t-1}) U_n)        reset "before" the product, as published
    n    = phi(x_t W_n + b_n + r * (h_{t-1} U_n + b'_n)) reset "after" it, as in PyTorch and cuDNN
    h_t  = z * h_{t-1} + (1 - z) * n

    b'_n exists with the "double" bias, which PyTorch has, and Keras where ``reset_after=True``.
    The gates are packed in the order r, z, n, which is PyTorch's. The carry is h
    (batch, features), which is also the output.

    Attributes:
      features: width of h.
      reset: where the reset gate acts; "after" needs one product a step instead of two.
      activation: phi.
      bias: one vector b a gate, "double" for a second one beside U, or "none".
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.
    """

    reset: Literal["before", "after"] = "after"

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The order in which gates are packed."""
        return ("r", "z", "n")

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> jax.Array:
        """h_t."""
        if self.reset == "before":
            return self._reset_before(weights, carry, projected, kept)
        product = recurrent(weights, carry, kept)
        if self.activation == "tanh":
            return GRU_GATES.advance(carry, projected, product)
        (x_r, x_z, x_n), (h_r, h_z, h_n) = split(projected, 3), split(product, 3)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        return z * carry + (1 - z) * activations.by_name(self.activation)(x_n + r * h_n)

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step but for its products; None unless the reset is "after" and phi is tanh."""
        return GRU_GATES if self.reset == "after" and self.activation == "tanh" else None

    @nn.nowrap
    def _reset_before(self, weights, h, projected, kept):
        cut = 2 * self.features
        early = {name: weight[..., :cut] for name, weight in weights.items()}
        late = {name: weight[..., cut:] for name, weight in weights.items()}
        r, z = split(jax.nn.sigmoid(projected[..., :cut] + recurrent(early, h, kept)), 2)
        n = projected[..., cut:] + recurrent(late, r * h, kept)
        return z * h + (1 - z) * activations.by_name(self.activation)(n)
