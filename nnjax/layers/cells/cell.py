"""The protocol of recurrent cells, which ``Recurrent`` and loops of your own are written for."""

from typing import Any, Protocol

import jax

from nnjax.layers.cells.gates import Carry, Gates

Weights = dict[str, jax.Array]
"""The parameters of a cell by name, cast to the dtype in which it computes."""


class Cell(Protocol):
    """One time step of a recurrence: a Flax module whose fields are its configuration.

    A loop of your own calls the module: ``cell.apply(variables, carry, x)`` returns the next carry
    and the output.

    ``Recurrent`` calls the methods instead, so that work which does not depend on the state is done
    for all time steps at once: ``weights`` declares the parameters, ``project`` computes the part
    that depends on the input alone, ``advance`` computes the rest, and ``output`` reads the output
    from the carry. Only ``weights`` touches the module's variables; the other three are pure
    functions of their arguments. A new cell needs these four methods and ``init_carry``; its
    ``gates`` may return None.

    Attributes:
      features: width of the output.

    Example:
      >>> import jax
      >>> from nnjax.layers.cells import Cell, GRUCell
      >>> cell: Cell = GRUCell(features=5)
      >>> carry, x = cell.init_carry(2), jax.numpy.ones((2, 3))
      >>> variables = cell.init(jax.random.key(0), carry, x)
      >>> for _ in range(4):
      ...     carry, output = cell.apply(variables, carry, x)
      >>> output.shape
      (2, 5)
    """

    features: int

    def init_carry(self, batch: int, dtype: Any = ...) -> Carry:
        """The state before the first step: zeros."""
        ...

    def weights(self, inputs: int, dtype: Any) -> Weights:
        """Declares the float32 parameters for that number of inputs; returns them as ``dtype``."""
        ...

    def project(self, weights: Weights, x: jax.Array) -> jax.Array:
        """The input's contribution to every gate, with the bias added.

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
        state_mask: jax.Array | None = None,
    ) -> Carry:
        """The state after one step.

        Args:
          weights: from ``weights``.
          carry: the state before the step.
          projected: (batch, gates * features), from ``project``.
          state_mask: factors (batch, units) on the state wherever it enters a product: the mask of
            variational recurrent dropout (Gal and Ghahramani 2016). None drops nothing.
        """
        ...

    def gates(self) -> Gates | None:
        """The step without its products, with a derivative; None leaves the derivative to JAX."""
        ...

    def output(self, carry: Carry) -> jax.Array:
        """The output (batch, features) of a state."""
        ...
