"""How far a trial is when a pruner compares it with others, whatever its batch size.

Trials whose batches differ in size make different numbers of updates an epoch. A pruner that
compares them after equal numbers of updates stops the trials with small batches too early. Trials
are therefore compared after equal numbers of epochs, each at its evaluations.
"""

from nnjax import fields
from nnjax.sweeps.plan.space import Range
from nnjax.sweeps.plan.sweep import Sweep
from nnjax.training.options import Training

FIELD = ("training", "evaluate_every")


def comparison_epochs(sweep: Sweep) -> float:
    """The unit of ``comparison_step``: the fewest epochs between two evaluations of any trial."""
    shortest = [sweep.experiment.training.evaluate_every]
    for path, dimension in sweep.space.items():
        if tuple(fields.resolve(sweep.experiment, path)) == FIELD:
            is_range = isinstance(dimension, Range)
            labels = [dimension.low] if is_range else dimension.points()
            shortest = [dimension.value(label) for label in labels]
    return min(shortest)


def comparison_step(training: Training, evaluations: int, unit: float) -> int:
    """How far a trial is, as a whole number for a pruner; equal for trials to be compared.

    Args:
      training: the options of the trial.
      evaluations: how often the trial was evaluated.
      unit: epochs, as ``comparison_epochs`` gives them.
    """
    return max(1, round(evaluations * training.evaluate_every / unit))
