"""The metric that ranks the trials of a sweep."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from nnjax.metrics import OF_CLASSES
from nnjax.training import best
from nnjax.training.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Objective:
    """A metric of a split.

    Attributes:
      split: "train", "validation" or "test".
      metric: its name.
      growing: the names of the metrics for which larger is better.
    """

    split: str
    metric: str
    growing: tuple[str, ...] = OF_CLASSES

    @classmethod
    def of(cls, name: str, experiment: Experiment, data: Any) -> "Objective":
        """Reads the ``metric`` option: "auto" is what training monitors, else the training loss.

        Raises:
          UserError: the data has no such split, or the learner does not measure such a metric.
        """
        name = experiment.training.monitor if name == "auto" else name
        monitor = best.make_monitor(name, experiment.learner, data)
        growing = best.growing(experiment.learner)
        if monitor is None:
            return cls("train", "loss", growing)
        return cls(monitor.split, monitor.metric, growing)

    @property
    def maximize(self) -> bool:
        """Whether larger is better."""
        return self.metric in self.growing

    def value(self, measured: Mapping[str, Any]) -> float | None:
        """The value among metrics by split; None where it is missing, NaN or infinite."""
        value = measured.get(self.split, {}).get(self.metric)
        return value if value is not None and math.isfinite(value) else None

    def __str__(self) -> str:
        return f"{self.split} {self.metric}".replace("_", " ")
