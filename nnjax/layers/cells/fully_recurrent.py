"""The fully recurrent network: every unit to every unit."""

import flax.linen as nn
import jax

from nnjax import activations
from nnjax.errors import UserError
from nnjax.layers.cells.cell import Weights
from nnjax.layers.cells.gated import GatedCell
from nnjax.layers.cells.weights import recurrent
from nnjax.traced import check_number


class FullyRecurrentCell(GatedCell):
    """Every unit sees every unit and every input; some units are the output.

    y_t = f(x_t W + y_{t-1} U + b), the output being the first elements of y_t

    The network of Williams and Zipser (1989): no layers, all units alike, and a target for some of
    them. An input reaches every unit in one step, so ``steps`` above 1 lets the units settle: the
    same input is shown for so many steps, and the last one counts. The carry is y (batch, units).

    Attributes:
      features: width of the output.
      total_units: how many units there are, output units among them.
      steps: how often the units are updated for each input.
      activation: f.
      bias: one vector b, "double" for a second one beside U, or "none".
      kernel_init: initialiser of W.
      recurrent_init: initialiser of U.
      init_scale: factor on the initial W and U; may be traced.
    """

    features: int = 64
    total_units: int = 256
    steps: int = 1

    @property
    def gate_names(self) -> tuple[str, ...]:
        """The order in which gates are packed."""
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
        """All units."""
        return self.total_units

    @nn.nowrap
    def advance(
        self,
        weights: Weights,
        carry: jax.Array,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> jax.Array:
        """The state y_t."""
        f = activations.by_name(self.activation)
        for _ in range(self.steps):
            carry = f(projected + recurrent(weights, carry, kept))
        return carry

    @nn.nowrap
    def output(self, carry: jax.Array) -> jax.Array:
        """The first units, (batch, features)."""
        return carry[..., : self.features]
