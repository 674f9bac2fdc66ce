"""Conducting a sweep: drawing trials, planning them, and making them ready for the workers."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from optuna.trial import TrialState

from nnjax.errors import UserError
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.space import grid
from nnjax.sweeps.plan.sweep import Sweep
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import LABELS, PROGRAM, Study

SECONDS_BETWEEN_LOOKS = 1.0

MOST_DRAWS = 1000
"""Draws in a row that the sweep's ``allowed`` may refuse before that is taken for a mistake."""


def labels_of_grid(sweep: Sweep) -> list[dict[str, Any]]:
    """The points of a grid that are allowed.

    Raises:
      UserError: none is.
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
    """Carries a sweep through, from wherever it stands.

    Args:
      sweep: what to do.
      directory: of the sweep.
      study: its record.
      planner: sorts trials into programs.
      work: returns when no trial is waiting any more.
    """
    release_dead(directory, study)
    if sweep.search.sampler == "grid":
        distributions = {path: one.distribution() for path, one in sweep.space.items()}
        for labels in labels_of_grid(sweep)[len(study.trials()) :]:
            study.add(labels, distributions)
    while True:
        if study.waiting():
            make_ready(sweep, directory, study, planner)
            work()
        release_dead(directory, study)
        if study.waiting():
            continue
        left = (sweep.search.trials or 0) - study.drawn()
        if left > 0:
            _draw(sweep, study, min(left, sweep.search.at_once))
        elif study.trials(TrialState.RUNNING):
            # Others, who joined, train the last ones.
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return


def make_ready(sweep: Sweep, directory: SweepDirectory, study: Study, planner: Planner) -> None:
    """Plans the waiting trials that have no program yet and makes their run directories.

    Likewise those whose plan or run directory is no longer there: they are trained from the start.
    """
    planned = []
    known = directory.read_programs()
    for trial in study.waiting():
        is_planned = str(trial.user_attrs.get(PROGRAM)) in known
        if is_planned and directory.trial(trial.number).is_dir():
            continue
        labels = _labels(sweep, trial)
        if labels is None or not _is_allowed(sweep, labels):
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
    """Makes the trials of workers that are no more wait again."""
    for owner in study.owners():
        if not directory.is_alive(owner):
            study.release(owner, died=False)


def _draw(sweep: Sweep, study: Study, count: int) -> None:
    """Draws trials, all of them before any result is known."""
    drawn = [_draw_one(sweep, study) for _ in range(count)]
    # Only now: a trial that waits would be the next to be drawn.
    for number in drawn:
        study.put_back(number)


def _draw_one(sweep: Sweep, study: Study) -> int:
    """Draws trials until one is allowed; returns its number."""
    distributions = {path: one.distribution() for path, one in sweep.space.items()}
    for _ in range(MOST_DRAWS):
        trial = study.ask(distributions)
        labels = trial.params if sweep.suggest is None else sweep.suggest(trial)
        if _is_allowed(sweep, labels):
            study.note(trial.number, LABELS, dict(labels))
            return trial.number
        study.refuse(trial.number)
    raise UserError(f"the sweep's `allowed` refused {MOST_DRAWS} combinations in a row")


def _is_allowed(sweep: Sweep, labels: Mapping[str, Any]) -> bool:
    return sweep.allowed is None or sweep.allowed(labels)


def _labels(sweep: Sweep, trial: Any) -> dict[str, Any] | None:
    """The values of a trial by path; None where it was drawn only in part."""
    return trial.user_attrs.get(LABELS, None if sweep.suggest else trial.params)
