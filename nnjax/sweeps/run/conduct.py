"""Conducting a sweep: drawing trials, planning them, and preparing them for the workers."""

import time
from collections.abc import Callable
from typing import Any

from optuna.trial import TrialState

from nnjax.errors import UserError
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.space import grid
from nnjax.sweeps.plan.sweep import Sweep
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import labels as labels_of
from nnjax.sweeps.record.study import PROGRAM, Study

SECONDS_BETWEEN_LOOKS = 1.0
"""Pause between two looks at trials that workers elsewhere still train."""


def labels_of_grid(sweep: Sweep) -> list[dict[str, Any]]:
    """The points of a grid that are allowed.

    Raises:
      UserError: no point is allowed.
    """
    points = grid(sweep.space)
    allowed = [point for point in points if sweep.allowed is None or sweep.allowed(point)]
    if not allowed:
        raise UserError(f"the sweep's `allowed` refuses all of its {len(points)} combinations")
    return allowed


def conduct(
    sweep: Sweep,
    directory: SweepDirectory,
    study: Study,
    planner: Planner,
    work: Callable[[], None],
) -> None:
    """Carries a sweep through from its current state: draws, plans and trains what is left.

    Args:
      sweep: the sweep.
      directory: of the sweep.
      study: its record.
      planner: sorts trials into programs.
      work: trains waiting trials; returns when none is waiting any more.

    Raises:
      UserError: another process conducts the sweep, or ``allowed`` refuses too much.
    """
    with directory.locks.conducting():
        release_dead(directory, study)
        _add_grid(sweep, study)
        while True:
            _complete_batch(sweep, study)
            if study.waiting():
                make_ready(sweep, directory, study, planner)
                work()
            release_dead(directory, study)
            if study.waiting():
                continue
            if (sweep.search.trials or 0) > study.drawn():
                _draw(sweep, study, sweep.search.at_once)
            elif study.trials(TrialState.RUNNING):
                # Workers that joined train the last trials.
                time.sleep(SECONDS_BETWEEN_LOOKS)
            else:
                return


def _add_grid(sweep: Sweep, study: Study) -> None:
    """Adds the points of a grid that are not in the record yet."""
    if sweep.search.sampler == "grid":
        distributions = _distributions(sweep)
        for labels in labels_of_grid(sweep)[len(study.trials()) :]:
            study.add(labels, distributions)


def _complete_batch(sweep: Sweep, study: Study) -> None:
    """Draws the rest of a batch of which a process that was killed drew the first trials only.

    It is drawn before any trial of the batch is trained, so that the sweep draws the same trials
    as without the kill.
    """
    if sweep.search.sampler != "grid":
        study.refuse_half_drawn()
        _draw(sweep, study, -study.drawn() % sweep.search.at_once)


def _draw(sweep: Sweep, study: Study, most: int) -> None:
    """Draws some trials, but not more than the search is to have in all."""
    count = min(most, (sweep.search.trials or 0) - study.drawn())
    if count > 0:
        study.draw(count, _distributions(sweep), sweep.suggest, sweep.allowed)


def _distributions(sweep: Sweep) -> dict[str, Any]:
    return {path: dimension.distribution() for path, dimension in sweep.space.items()}


def make_ready(sweep: Sweep, directory: SweepDirectory, study: Study, planner: Planner) -> None:
    """Plans the waiting trials that have no program yet, and makes their run directories.

    A trial whose plan or run directory is missing is planned anew and trained from the start.
    """
    planned = []
    known = directory.read_programs()
    for trial in study.waiting():
        is_planned = str(trial.user_attrs.get(PROGRAM)) in known
        if is_planned and directory.trial(trial.number).is_dir():
            continue
        labels = labels_of(trial)
        if sweep.allowed is not None and not sweep.allowed(labels):
            study.refuse(trial.number)
            continue
        try:
            planned.append((trial.number, sweep.trial(labels)))
        except UserError as error:
            study.fail(trial.number, str(error))
    numbers = directory.add_programs([planner.program(trial) for _, trial in planned])
    for (number, trial), program in zip(planned, numbers, strict=True):
        directory.prepare_trial(number, trial.experiment, "waiting")
        study.note(number, PROGRAM, program)


def release_dead(directory: SweepDirectory, study: Study) -> None:
    """Returns the trials of workers whose process has ended to the queue."""
    for owner in study.owners():
        if not directory.locks.is_alive(owner):
            study.release(owner, died=False)
