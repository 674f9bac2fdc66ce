"""The result of each trial of a sweep, read from the record and from the runs of the trials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnjax.data.dataset import SPLITS
from nnjax.errors import UserError
from nnjax.runs import config_json, records
from nnjax.runs.run import SUMMARY
from nnjax.sweeps.plan.sweep import Search
from nnjax.sweeps.plan.tracing import SEEDS
from nnjax.sweeps.record.directory import SETTINGS, SweepDirectory
from nnjax.sweeps.record.drawing import LABELS, is_refused
from nnjax.sweeps.record.journal import JOURNAL
from nnjax.sweeps.record.study import PROGRAM, REASON, Study

STATES = ("complete", "pruned", "failed", "running", "waiting")
"""The states of a trial, in the order in which a table shows them."""


@dataclass(frozen=True)
class Result:
    """The result of a trial.

    Attributes:
      number: of the trial.
      state: one of ``STATES``.
      reason: why it failed, in a sentence; empty where it did not fail.
      program: the number of its program; None where it is not planned yet.
      labels: its values, as they are shown and stored, by dotted path.
      value: the objective; None unless the trial is complete.
      summary: of its run, see ``Run.read_summary``; empty where there is none yet.
      directory: of its run.
    """

    number: int
    state: str
    reason: str
    program: int | None
    labels: Mapping[str, Any]
    value: float | None
    summary: Mapping[str, Any]
    directory: Path

    @property
    def metrics(self) -> dict[str, float]:
        """The final metrics, by split and name: ``{"validation_accuracy": 0.97}``."""
        return {
            f"{split}_{metric}": value
            for split in SPLITS
            for metric, value in _mapping(self.summary.get(split)).items()
            if isinstance(value, int | float)
        }


def open_study(directory: SweepDirectory) -> tuple[Study, Search]:
    """The record of a sweep, opened to be read, and the options of its search.

    Raises:
      UserError: no trial is planned yet, the record cannot be read, or the settings are damaged.
    """
    saved = directory.settings.get("search")
    try:
        search = config_json.from_json(saved)
    except UserError as error:
        path = directory.directory / SETTINGS
        raise UserError(f"{path} is damaged, of the search: {error}") from error
    # Optuna would create a missing journal.
    if not search.storage and not (directory.directory / JOURNAL).is_file():
        raise UserError(f"{directory.directory} has no trials yet: it has no {JOURNAL}")
    study = Study(directory.directory, Search(storage=search.storage), name=directory.study)
    return study, search


def ranked(study: Study) -> list[Any]:
    """Optuna's trials: the complete ones, the best first, then the others by their state."""
    trials = [trial for trial in study.trials() if not is_refused(trial)]
    sign = -1 if study.maximizes else 1

    def order(trial: Any) -> tuple[int, float, int]:
        state = state_of(trial)
        value = sign * trial.value if state == "complete" else 0.0
        return STATES.index(state), value, trial.number

    return sorted(trials, key=order)


def labels(trial: Any) -> dict[str, Any]:
    """The values of a trial by dotted path."""
    return dict(trial.user_attrs.get(LABELS, trial.params))


def state_of(trial: Any) -> str:
    """The state of a trial, one of ``STATES``."""
    name = trial.state.name.lower()
    return "failed" if name == "fail" else name


def results(directory: SweepDirectory, study: Study) -> list[Result]:
    """The result of each trial, the best first; the files of the sweep are only read."""
    return [_result(directory, trial) for trial in ranked(study)]


def paths(found: Iterable[Result]) -> list[str]:
    """The fields that the sweep varies, in the order in which they were given."""
    return list(dict.fromkeys(path for one in found for path in one.labels))


def is_seed(path: str) -> bool:
    """Whether a field is a seed of the initial parameters or of the order of the examples."""
    return path.removeprefix("training.") in SEEDS


def _mapping(value: Any) -> Mapping[str, Any]:
    """A value of a summary that should be a mapping; an empty one where it is damaged."""
    return value if isinstance(value, Mapping) else {}


def _result(directory: SweepDirectory, trial: Any) -> Result:
    run = directory.trial(trial.number)
    state = state_of(trial)
    return Result(
        number=trial.number,
        state=state,
        # Written before the state, so that a killed worker may leave it on a trial that went on.
        reason=trial.user_attrs.get(REASON, "") if state == "failed" else "",
        program=trial.user_attrs.get(PROGRAM),
        labels=labels(trial),
        # Optuna gives a pruned trial its last intermediate value.
        value=trial.value if state == "complete" else None,
        summary=records.read_summary(run / SUMMARY),
        directory=run,
    )
