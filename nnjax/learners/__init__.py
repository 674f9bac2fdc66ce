"""Learners: what a training step is.

A learner is a frozen dataclass with three pure functions: ``init(key, example) -> State``,
``step(state, batch, axis_name=None) -> (State, Metrics)`` and ``evaluate(state, batch) -> Metrics``.
"""

from nnjax.learners.state import State
from nnjax.learners.supervised import Supervised

__all__ = ["State", "Supervised"]
