"""Run directories: configs, records, checkpoints, and the files that hold them."""

from nnjax.runs.checkpoints import Checkpoints
from nnjax.runs.run import Run

__all__ = ["Checkpoints", "Run"]
