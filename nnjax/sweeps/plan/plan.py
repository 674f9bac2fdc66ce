"""The plan of a sweep: which trials share a compiled program, and why others do not."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nnjax import fields
from nnjax.data.dataset import Dataset
from nnjax.runs import config_json
from nnjax.sweeps.plan.sweep import Trial
from nnjax.sweeps.plan.tracing import SEEDS, is_number, obstacle
from nnjax.training.experiment import Experiment

LoadData = Callable[[Experiment], Any]
"""Loads the data of an experiment, once for all experiments that share it."""


@dataclass(frozen=True)
class Program:
    """Trials that differ in numbers only, so that one compiled program serves them all.

    Attributes:
      key: equal for the trials of one program, different for other programs.
      experiment: the experiment of one of the trials.
      arguments: the dotted paths of the fields that are arguments of the program.
      settings: the values, by dotted path, in which this program differs from the others.
      together: whether its trials can train at once.
    """

    key: str
    experiment: Experiment
    arguments: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    together: bool


class Planner:
    """Sorts trials into programs.

    Attributes:
      reasons: why a field splits the sweep, by its dotted path.
    """

    def __init__(self, load_data: LoadData):
        self._load_data = load_data
        self._obstacles: dict[tuple[str, str, Any], str | None] = {}
        self.reasons: dict[str, str] = {}

    def program(self, trial: Trial) -> Program:
        """The program of a trial."""
        experiment = trial.experiment
        paths = [_normal(path) for path in trial.labels]
        # Without these numbers, all trials of a program are equal.
        candidates = [path for path in paths if self._may_be_argument(experiment, path)]
        outline = _outline(experiment, [*candidates, *SEEDS])
        arguments = []
        for path in candidates:
            reason = self._obstacle(outline, experiment, path)
            if reason is None:
                arguments.append(path)
            else:
                self.reasons[path] = reason
        settings = [
            (path, str(label))
            for path, label in zip(paths, trial.labels.values(), strict=True)
            if path not in (*arguments, *SEEDS)
        ]
        return Program(
            key=_outline(experiment, [*arguments, *SEEDS]),
            experiment=experiment,
            arguments=tuple(arguments),
            settings=tuple(settings),
            together=isinstance(self._load_data(experiment), Dataset),
        )

    def _may_be_argument(self, experiment: Experiment, path: str) -> bool:
        """Whether a field is a number of the learner; notes the reason where it is not."""
        if path in SEEDS:
            return False
        where = fields.resolve(experiment, path)[0]
        if where == "data":
            self.reasons[path] = "changes the data"
        elif where == "training":
            self.reasons[path] = "changes how long or in which batches training runs"
        elif not is_number(fields.get(experiment, path)):
            self.reasons[path] = "is no number"
        else:
            return True
        return False

    def _obstacle(self, outline: str, experiment: Experiment, path: str) -> str | None:
        value = fields.get(experiment, path)
        # A learner may omit a computation at 0 or 1, as that of a momentum of 0, but not elsewhere.
        key = (outline, path, value if value in (0, 1) else None)
        if key not in self._obstacles:
            data = self._load_data(experiment)
            self._obstacles[key] = obstacle(experiment, data, path)
        return self._obstacles[key]


def programs(planner: Planner, trials: Sequence[Trial]) -> dict[str, tuple[Program, list[int]]]:
    """The programs of some trials, by key, each with the indices of its trials."""
    found: dict[str, tuple[Program, list[int]]] = {}
    for position, trial in enumerate(trials):
        program = planner.program(trial)
        found.setdefault(program.key, (program, []))[1].append(position)
    return found


def _normal(path: str) -> str:
    return path.replace("-", "_")


def _outline(experiment: Experiment, without: Sequence[str]) -> str:
    """The experiment as text, without the values of some fields."""
    saved = config_json.to_json(experiment)
    for path in without:
        *above, last = fields.resolve(experiment, path)
        inner = functools.reduce(dict.__getitem__, above, saved)
        inner[last] = "an argument"
    return json.dumps(saved, sort_keys=True)
