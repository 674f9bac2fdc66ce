"""The times of a run, summed over every process that trained it."""

import time
from collections.abc import Mapping
from typing import Any

NAMES = ("seconds", "training_seconds", "compile_seconds")
"""The times of a run, as summaries and checkpoints name them."""


class Stopwatch:
    """Measures a process of a run, and adds the times of the processes before it.

    Attributes:
      training: seconds that this process spent in updates.
      compiling: seconds that it spent compiling them.
      steps: updates that it made.
    """

    def __init__(self):
        self.training = 0.0
        self.compiling = 0.0
        self.steps = 0
        self._began = time.perf_counter()
        self._earlier = dict.fromkeys(NAMES, 0.0)

    def restore(self, meta: Mapping[str, Any]) -> None:
        """Takes over the times up to a checkpoint, from what was saved with it."""
        self._earlier = {name: meta.get(name, 0.0) for name in NAMES}

    def times(self) -> dict[str, float]:
        """Seconds in all, in updates, and compiling, of all processes of the run."""
        own = (time.perf_counter() - self._began, self.training, self.compiling)
        return {name: self._earlier[name] + now for name, now in zip(NAMES, own, strict=True)}

    def steps_per_second(self) -> float:
        """Updates per second of training in this process; 0 before the first."""
        return self.steps / self.training if self.training else 0.0
