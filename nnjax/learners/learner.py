"""What the training loop asks of a learner."""

from typing import Protocol, runtime_checkable

import jax

from nnjax.data.dataset import Batch
from nnjax.learners.state import State
from nnjax.metrics import Metrics


@runtime_checkable
class Learner(Protocol):
    """Three pure functions on one ``State``: a frozen dataclass of options that has them.

    What else it may have: ``metrics``, the names of what it measures beside the loss, of which a
    run may monitor one; ``larger_is_better``, those names of its own of which larger is better;
    ``predict(state, inputs)``, for figures; ``model``, for the table of layers.
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
