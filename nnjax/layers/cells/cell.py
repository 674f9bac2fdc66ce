"""What every recurrent cell is: one step of a recurrence, alone or inside ``Recurrent``."""

from typing import Any, Protocol

import jax

from nnjax.layers.cells.gates import Carry, Gates

Weights = dict[str, jax.Array]
"""The parameters of a cell by name, cast to the dtype in which it computes."""


class Cell(Protocol):
    """One step of a recurrence, as a Flax module whose fields are its configuration.

    Alone, in a loop of one's own::

        variables = cell.init(key, cell.init_carry(batch), x[:, 0])
        carry, output = cell.apply(variables, carry, x[:, t])

    ``Recurrent`` takes the step apart instead, so that what does not depend on the state is done
    for all time steps at once: ``weights`` declares the parameters, ``project`` is the part that
    depends on the input alone, ``advance`` the rest, ``output`` what is seen from outside. Only
    ``weights`` touches the module's variables; the other three are pure functions of their
    arguments. A new cell needs no more than these; its ``gates`` may be None.

    Attributes:
      features: width of the output.
    """

    features: int

    def init_carry(self, batch: int, dtype: Any = ...) -> Carry:
        """The state before the first step: zeros."""
        ...

    def weights(self, inputs: int, dtype: Any) -> Weights:
        """Declares the parameters, float32, for so many inputs; returns them in ``dtype``."""
        ...

    def project(self, weights: Weights, x: jax.Array) -> jax.Array:
        """The input's part of every gate, biases added.

        Args:
          weights: from ``weights``.
          x: (..., inputs), or int32 ids (...), which stand for one-hot vectors.

        Returns:
          (..., gates * features).
        """
        ...

    def advance(
        self,
        weights: Weights,
        carry: Carry,
        projected: jax.Array,
        kept: jax.Array | None = None,
    ) -> Carry:
        """The state after one step.

        Args:
          weights: from ``weights``.
          carry: the state before.
          projected: (batch, gates * features), from ``project``.
          kept: factors (batch, units) on the state wherever it enters a product: the mask of
            variational recurrent dropout (Gal and Ghahramani 2016).
        """
        ...

    def gates(self) -> Gates | None:
        """The step but for its product, with its derivative; None where that is left to JAX."""
        ...

    def output(self, carry: Carry) -> jax.Array:
        """What is seen of a state, (batch, features)."""
        ...
