"""Which parameters are best, and when to stop: the bookkeeping of the monitored metric."""

import math
from dataclasses import dataclass
from typing import Any

from nnjax.data.dataset import SPLITS, Known
from nnjax.errors import UserError
from nnjax.metrics import OF_CLASSES, SMALLER_IS_BETTER, name_of


@dataclass(frozen=True)
class Monitor:
    """The metric that decides.

    Attributes:
      split: the split it is measured on.
      metric: its name.
      maximize: whether larger is better.
    """

    split: str
    metric: str
    maximize: bool

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than ``best``; NaN never is, anything beats None."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        return value > best if self.maximize else value < best


def make_monitor(name: str, learner: Any, data: Known) -> Monitor | None:
    """Returns the metric that the ``monitor`` option names; None if no metric decides.

    Raises:
      UserError: the data has no such split, or the learner does not measure such a metric.
    """
    measured = ("loss", *map(name_of, getattr(learner, "metrics", ())))
    if name == "none" or (name == "auto" and not data.size("validation")):
        return None
    if name == "auto":
        # Several next words may be right, so for texts the likelihood says more than the accuracy.
        classifies = data.classes is not None and "accuracy" in measured
        return Monitor("validation", "accuracy" if classifies else "loss", classifies)
    split, _, metric = name.partition(" ")
    if not data.size(split) or metric not in measured:
        splits = [split for split in SPLITS if data.size(split)]
        raise UserError(
            f"monitor '{name}' is not a split and a metric measured here; the splits are "
            f"{', '.join(splits)} and the metrics {', '.join(measured)}"
        )
    known = metric in SMALLER_IS_BETTER or metric in OF_CLASSES
    if not known and getattr(learner, "larger_is_better", None) is None:
        raise UserError(
            f"nothing says whether a larger {metric} is better; give {type(learner).__name__} a "
            f"larger_is_better of ('{metric}',) if it is, else of ()"
        )
    return Monitor(split, metric, metric in growing(learner))


def growing(learner: Any) -> tuple[str, ...]:
    """Returns the names of the metrics of which larger is better, a learner's own included."""
    return (*OF_CLASSES, *(getattr(learner, "larger_is_better", None) or ()))


def check_patience(patience: int | None, monitor: Monitor | None) -> None:
    """Refuses early stopping without a metric that decides.

    Raises:
      UserError: there is a patience and no monitored metric.
    """
    if patience is not None and monitor is None:
        raise UserError(
            f"patience {patience} needs a metric to wait for; set aside a validation split, or "
            "name one with monitor, such as 'train loss'"
        )


@dataclass
class Standing:
    """The best value of the monitored metric so far; saved with every checkpoint.

    Attributes:
      best: the best value; None before the first evaluation.
      best_step: the step at which it was measured.
      since: number of evaluations since then.
    """

    best: float | None = None
    best_step: int | None = None
    since: int = 0

    def observe(self, monitor: Monitor, value: float, step: int) -> bool:
        """Records an evaluation and returns whether it is the best so far."""
        if monitor.improves(value, self.best):
            self.best, self.best_step, self.since = value, step, 0
            return True
        self.since += 1
        return False
