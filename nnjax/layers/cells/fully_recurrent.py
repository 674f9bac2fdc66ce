"""The fully recurrent network: every unit feeds every unit."""

import flax.linen as nn
import jax

from nnjax import activations
from nnjax.errors import UserError
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.weights import recurrent_product
from nnjax.traced import check_number


class FullyRecurrentCell(GatedCell):
    """A network in which every unit sees every unit and every input; some units are the output.

    y_t = f(x_t W + y_{t-1} U + b); the output is the first ``features`` elements of y_t

    The network of Williams and Zipser (1989): there are no layers, all units are alike, and some of
    them have a target. With ``steps`` above 1 the units are updated that many times for each input,
    so that they can settle; the output is that of the last update. The carry is y (batch, units).

    Attributes:
      features: width of the output.
      total_units: number of units, including the output units.
      steps: number of updates for each input.
      activation: f.
      bias: "single" is one vector b, "double" adds a second one beside U, "none" has no b.
      kernel_init: initialiser of W.
      recurrent_init: initialiser of U.
      init_scale: factor on the initial W and U; may be traced.

    Example:
      >>> import jax
      >>> from nnjax.layers import FullyRecurrentCell
      >>> cell, x = FullyRecurrentCell(features=2, total_units=5), jax.numpy.ones((2, 3))
      >>> (y, output), _ = jax.jit(cell.init_with_output)(jax.random.key(0), cell.init_carry(2), x)
      >>> output.shape
      (2, 2)
    """

    features: int = 64
    total_units: int = 256
    steps: int = 1

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The gates, in the order in which they are packed."""
        return ("y",)

    def __post_init__(self):
        check_number("number of steps", self.steps, at_least=1)
        if self.total_units < self.features:
            raise UserError(
                f"{self.features} output units are more than all {self.total_units} units: "
                "set total_units to at least features"
            )
        super().__post_init__()

    @property
    def units(self) -> int:
        """Number of units."""
        return self.total_units

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        state_mask: jax.Array | None = None,
    ) -> jax.Array:
        """The state y_t."""
        f = activations.by_name(self.activation)
        for _ in range(self.steps):
            carry = f(projected + recurrent_product(weights, carry, state_mask))
        return carry

    @nn.nowrap
    def output(self, carry: jax.Array) -> jax.Array:
        """The output: the first units, (batch, features)."""
        return carry[..., : self.features]
