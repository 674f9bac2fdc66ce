"""Long short-term memory, first generation."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.timescales import check_timescale, initial_bias
from nnjax.layers.cells.weights import recurrent, split


class FirstLSTMCell(GatedCell):
    """Long short-term memory as first taught: one state, which its output gate hides from itself.

    i, f, o = sigmoid(x_t W + s_{t-1} U + b), each with its own W, U and b
    s~_t    = phi(x_t W + (o * s_{t-1}) U + b)
    s_t     = f * s_{t-1} + i * s~_t

    The form in which the SMU lecture notes introduce the cell: a simple cell that writes, forgets
    and reads selectively. The gates are packed in the order i, f, s~, o. The carry is s
    (batch, features), which is also the output.

    Attributes:
      features: width of s.
      activation: phi.
      forget_bias: initial b of the forget gate; may be traced.
      timescale: the longest span to be remembered, in steps; see ``LSTMCell``.
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
        return ("i", "f", "s", "o")

    @nn.nowrap
    def initial_bias(self, key: jax.Array) -> tuple[Any, ...]:
        """Zeros, but for the forget gate and, at a timescale, the input gate."""
        return initial_bias(key, self.gate_names, self.features, self.forget_bias, self.timescale)

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> jax.Array:
        """s_t."""
        x_i, x_f, x_s, x_o = split(projected, 4)
        gates, candidate = _parts(weights, self.features)
        x = jnp.concatenate([x_i, x_f, x_o], axis=-1)
        i, f, o = split(jax.nn.sigmoid(x + recurrent(gates, carry, kept)), 3)
        phi = activations.by_name(self.activation)
        return f * carry + i * phi(x_s + recurrent(candidate, o * carry, kept))


def _parts(weights: Weights, features: int) -> tuple[Weights, Weights]:
    """The recurrent weights of i, f and o, and those of the candidate."""
    gates, candidate = {}, {}
    for name in ("recurrent_kernel", "recurrent_bias"):
        if name in weights:
            weight = weights[name]
            ends = [weight[..., : 2 * features], weight[..., 3 * features :]]
            gates[name] = jnp.concatenate(ends, axis=-1)
            candidate[name] = weight[..., 2 * features : 3 * features]
    return gates, candidate
