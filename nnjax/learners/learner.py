"""What the training loop asks of a learner."""

from typing import Any, Protocol, runtime_checkable

import jax

from nnjax.data.dataset import Batch
from nnjax.metrics import Metrics


@runtime_checkable
class Learner(Protocol):
    """Three pure functions on one state, a pytree: a frozen dataclass of options that has them."""

    def init(self, key: jax.Array, example: Batch) -> Any:
        """Draws the state before the first update."""
        ...

    def step(self, state: Any, batch: Batch, axis_name: str | None = None) -> tuple[Any, Metrics]:
        """One update: the state after it, and the metrics before it, "loss" among them."""
        ...

    def evaluate(self, state: Any, batch: Batch) -> Metrics:
        """Measures a batch."""
        ...
