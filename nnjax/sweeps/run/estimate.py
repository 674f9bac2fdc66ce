"""The cost of a sweep before it runs: its programs, trials trained at once, memory and time.

The time of a program is measured: it is compiled, and some updates and an evaluation are timed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import optuna
from jax.sharding import Mesh

from nnjax.sweeps.plan.plan import Planner, Program, programs
from nnjax.sweeps.plan.sweep import Sweep, Trial
from nnjax.sweeps.plan.tracing import Lifted
from nnjax.sweeps.population import layout
from nnjax.sweeps.population.group import Groups
from nnjax.sweeps.record.drawing import LABELS, Drawing, is_refused, silence_optuna
from nnjax.sweeps.run.conduct import labels_of_grid
from nnjax.training.experiment import Experiment

STARTING_SECONDS = 4.0
"""Time from the command to the first compilation."""


class Estimate(NamedTuple):
    """The cost of one program.

    Attributes:
      program: the program.
      trials: the number of its trials.
      members: how many of them train at once.
      bytes: memory that these take; 0 where trials train one by one.
      seconds: time of one worker for all trials; None where trials train one by one.
    """

    program: Program
    trials: int
    members: int
    bytes: int
    seconds: float | None


def trials_of(sweep: Sweep) -> list[Trial]:
    """The trials of a grid, or as many as a sampler would draw before any result is known."""
    if sweep.search.sampler == "grid":
        return [sweep.trial(labels) for labels in labels_of_grid(sweep)]
    silence_optuna()
    drawing = Drawing(optuna.create_study(), sweep.search)
    distributions = {path: dimension.distribution() for path, dimension in sweep.space.items()}
    drawn = [
        trial
        for _ in range(sweep.search.trials or 0)
        for trial in drawing.draw(distributions, sweep.suggest, sweep.allowed)
    ]
    return [sweep.trial(trial.user_attrs[LABELS]) for trial in drawn if not is_refused(trial)]


def estimate(
    sweep: Sweep, planner: Planner, load_data: Any, mesh: Mesh, workers: int = 1
) -> list[Estimate]:
    """The cost of each program of a sweep, measured.

    Args:
      sweep: the sweep.
      planner: sorts trials into programs.
      load_data: loads the data of an experiment.
      mesh: the devices to measure on.
      workers: the number of workers that share the trials.
    """
    trials = trials_of(sweep)
    found = programs(planner, trials)
    return [
        _estimate(
            sweep,
            program,
            [trials[position].experiment for position in positions],
            load_data(program.experiment),
            mesh,
            workers,
        )
        for program, positions in found.values()
    ]


def _estimate(
    sweep: Sweep,
    program: Program,
    experiments: Sequence[Experiment],
    data: Any,
    mesh: Mesh,
    workers: int,
) -> Estimate:
    if not program.together:
        return Estimate(program, len(experiments), 1, 0, None)
    lifted = Lifted(program.experiment, data, program.arguments)
    share = -(-len(experiments) // workers)
    groups = Groups(lifted, data, program.experiment.training, mesh)
    if sweep.search.members:
        members = min(sweep.search.members, share)
        found = layout.measure(groups, experiments[:members])
    else:
        most = min(share, layout.MOST, layout.fits_memory(lifted, mesh))
        found = layout.choose(groups, experiments[:most])
    each = layout.trial_seconds(found, groups)
    size = layout.member_bytes(lifted) * found.members
    seconds = found.compile_seconds + len(experiments) * each
    return Estimate(program, len(experiments), found.members, size, seconds)
