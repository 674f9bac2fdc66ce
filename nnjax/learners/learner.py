"""The functions that the training loop calls of a learner."""

from typing import Protocol, runtime_checkable

import jax

from nnjax.data.dataset import Batch
from nnjax.learners.state import State
from nnjax.metrics import Metrics


@runtime_checkable
class Learner(Protocol):
    """Three pure functions on one ``State``: a frozen dataclass of options that has them.

    A learner may also have: ``metrics``, the names of its metrics beside the loss, one of which a
    run may monitor; ``larger_is_better``, the names of those of its own metrics of which a larger
    value is better; ``predict(state, inputs)``, for figures; ``model``, for the table of layers.

    Example:
      >>> from nnjax.learners import Learner, Supervised
      >>> from nnjax.models import MLP
      >>> isinstance(Supervised(MLP(features=(4,))), Learner)
      True
    """

    def init(self, key: jax.Array, example: Batch) -> State:
        """Draws the state before the first update; ``example`` is a batch, or its shapes."""
        ...

    def step(
        self, state: State, batch: Batch, axis_name: str | None = None
    ) -> tuple[State, Metrics]:
        """One update: the state after it, and the metrics before it, "loss" among them."""
        ...

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Measures a batch."""
        ...
