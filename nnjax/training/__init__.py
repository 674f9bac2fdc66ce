"""Training: lifting a learner's step over batches and devices, the loop, checkpoints and runs."""

from nnjax.training.experiment import Experiment
from nnjax.training.fit import Result, fit
from nnjax.training.options import Training

__all__ = ["Experiment", "Result", "Training", "fit"]
