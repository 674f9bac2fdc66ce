"""Learners: what a training step is.

A learner is a frozen dataclass with three pure functions: ``init(key, example) -> State``,
``step(state, batch, axis_name=None) -> (State, Metrics)``, ``evaluate(state, batch) -> Metrics``.
"""

from nnjax.learners.full_batch import FullBatch
from nnjax.learners.learner import Learner
from nnjax.learners.state import State
from nnjax.learners.supervised import Supervised

__all__ = ["FullBatch", "Learner", "State", "Supervised"]
