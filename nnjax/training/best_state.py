"""The state that training would return if it ended now."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from nnjax.learners.state import State
from nnjax.training.best import Monitor, Standing

Measured = dict[str, dict[str, float]]
"""Metrics by name, by split."""


class BestState:
    """The best state by the monitored metric, or the newest one where no metric is monitored.

    Attributes:
      monitor: the metric that decides; None where the newest state is the result.
      standing: the best value, its step, and the evaluations since then.
      state: the best state; before the first evaluation, the one that training began with. None
        where no metric is monitored.
      measured: the metrics of the state that would be the result, of the splits measured so far.
    """

    def __init__(self, monitor: Monitor | None, state: State):
        self.monitor = monitor
        self.standing = Standing()
        self.state = _copy(state) if monitor else None
        self.measured: Measured = {}

    def restore(self, standing: Mapping, state: State) -> None:
        """Takes over what a checkpoint holds."""
        self.standing = Standing(**standing)
        self.state = state if self.monitor else None

    def note_update(self) -> None:
        """Forgets metrics that were those of the newest state, which an update has replaced."""
        if self.standing.best_step is None:
            self.measured = {}

    def observe(self, state: State, step: int, measured: Measured) -> None:
        """Takes in an evaluation of the newest state."""
        if self.monitor is None:
            self.measured = measured
            return
        value = measured[self.monitor.split][self.monitor.metric]
        if self.standing.observe(self.monitor, value, step):
            self.state = _copy(state)
            self.measured = measured

    def is_exhausted(self, patience: int | None) -> bool:
        """Whether the metric has not improved for ``patience`` evaluations."""
        return patience is not None and self.standing.since >= patience

    def result(self, newest: State) -> State:
        """The best state; ``newest`` where no metric is monitored or it was never a number."""
        return newest if self.standing.best_step is None or self.state is None else self.state


def _copy(state: State) -> State:
    """A copy that outlives the donation of ``state`` to the next update."""
    return jax.tree.map(jnp.copy, state)
