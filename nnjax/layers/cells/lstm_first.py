"""Long short-term memory with a single state."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.timescales import check_timescale, initial_bias
from nnjax.layers.cells.weights import recurrent_product, split


class FirstLSTMCell(GatedCell):
    """Long short-term memory with one state, which the candidate reads through the output gate.

    i, f, o = sigmoid(x_t W + s_{t-1} U + b), each with its own W, U and b
    s~_t    = phi(x_t W + (o * s_{t-1}) U + b)
    s_t     = f * s_{t-1} + i * s~_t

    The SMU lecture notes introduce the LSTM in this form: a simple cell that writes, forgets and
    reads selectively. The gates are packed in the order i, f, s~, o. The carry is s
    (batch, features), which is also the output.

    Attributes:
      features: width of s.
      activation: phi.
      forget_bias: initial b of the forget gate; may be traced.
      timescale: the longest time span to remember, in steps; see ``LSTMCell``.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import FirstLSTMCell
      >>> cell, x = FirstLSTMCell(features=5), jax.numpy.ones((2, 3))
      >>> (s, output), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> output.shape
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
        return ("i", "f", "s", "o")

    @nn.nowrap
    def initial_bias(self, key: jax.Array) -> tuple[Any, ...]:
        """The initial b of each gate: zeros, except for f and, with a timescale, i."""
        return initial_bias(key, self.gate_names, self.features, self.forget_bias, self.timescale)

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> jax.Array:
        """The state s_t."""
        x_i, x_f, x_s, x_o = split(projected, 4)
        gates, candidate = _split_weights(weights, self.features)
        x = jnp.concatenate([x_i, x_f, x_o], axis=-1)
        i, f, o = split(jax.nn.sigmoid(x + recurrent_product(gates, carry, state_mask)), 3)
        phi = activations.by_name(self.activation)
        return f * carry + i * phi(x_s + recurrent_product(candidate, o * carry, state_mask))


def _split_weights(weights: Weights, features: int) -> tuple[Weights, Weights]:
    """The recurrent weights of i, f and o, and those of the candidate s~."""
    gates, candidate = {}, {}
    for name in ("recurrent_kernel", "recurrent_bias"):
        if name in weights:
            weight = weights[name]
            ends = [weight[..., : 2 * features], weight[..., 3 * features :]]
            gates[name] = jnp.concatenate(ends, axis=-1)
            candidate[name] = weight[..., 2 * features : 3 * features]
    return gates, candidate
