"""The base class of the cells: a kernel on the input, a kernel on the state, packed gates."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations, initializers
from nnjax.layers.cells.cell import Carry, Weights
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.weights import Bias, affine, cast, packed_weights
from nnjax.traced import check_number


class GatedCell(nn.Module):
    """Base class of cells in which each gate is a function of x_t W + h_{t-1} U + b.

    Implements the protocol ``Cell`` for a cell with one state vector, which is also its output. A
    subclass adds ``advance``, its equations, and overrides the methods in which it differs.

    Attributes:
      features: width of the output.
      activation: of the candidate state.
      bias: "single" is one vector b a gate, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of each W.
      recurrent_init: initialiser of each U.
      init_scale: factor on the initial W and U; may be traced.
    """

    features: int = 256
    activation: activations.Activation = "tanh"
    bias: Bias = "single"
    kernel_init: initializers.Initializer = "glorot_uniform"
    recurrent_init: initializers.Initializer = "orthogonal"
    init_scale: float = 1.0

    def __post_init__(self):
        check_number("number of features", self.features, at_least=1)
        super().__post_init__()

    def __call__(self, carry: Carry, x: jax.Array) -> tuple[Carry, jax.Array]:
        """Maps the state and x (batch, inputs) to the state after one step and the output."""
        weights = self.weights(x.shape[-1], x.dtype)
        carry = self.advance(weights, carry, self.project(weights, x))
        return carry, self.output(carry)

    @nn.nowrap
    def init_carry(self, batch: int, dtype: Any = jnp.float32) -> Carry:
        """The state before the first step: zeros (batch, features)."""
        return jnp.zeros((batch, self.units), dtype)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The gates, in the order in which they are packed along the last axis of parameters."""
        return ("h",)

    @property
    def units(self) -> int:
        """Width of the state."""
        return self.features

    @nn.nowrap
    def initial_bias(self, key: jax.Array) -> tuple[Any, ...]:
        """The initial b of each gate, a number or (units,)."""
        return (0.0,) * len(self.gate_names)

    @nn.compact
    def weights(self, inputs: int, dtype: Any) -> Weights:
        """Declares the parameters, float32, and returns them in ``dtype``.

        ``kernel`` W (inputs, gates * units), ``recurrent_kernel`` U (units, gates * units), and
        depending on the field ``bias`` also ``bias`` and ``recurrent_bias`` (gates * units,).
        """
        weights = packed_weights(
            self,
            inputs,
            self.units,
            gates=len(self.gate_names),
            bias=self.bias,
            initial_bias=self.initial_bias,
            kernel_init=self.kernel_init,
            recurrent_init=self.recurrent_init,
            init_scale=self.init_scale,
        )
        return cast(weights, dtype)

    @nn.nowrap
    def project(self, weights: Weights, x: jax.Array) -> jax.Array:
        """Maps x (..., inputs), or ids (...), to x W + b, (..., gates * units)."""
        return affine(weights, x)

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: Carry,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> Carry:
        """The state after one step."""
        raise NotImplementedError

    @nn.nowrap
    def gates(self) -> Gates | None:
        """The step without its products, with a derivative; None leaves the derivative to JAX.

        A cell that returns ``Gates`` must not override ``project``, which computes x W + b.
        """
        return None

    @nn.nowrap
    def output(self, carry: Carry) -> jax.Array:
        """The output (batch, features) of a state."""
        return carry
