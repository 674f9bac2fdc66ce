"""The record of a sweep: an Optuna study of its trials, who trains each of them, and the results.

A trial waits, is claimed by a worker, and ends as complete, pruned or failed. Claims are atomic in
every storage, so any number of workers on any number of machines may share a study.
"""

import contextlib
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from nnjax.errors import UserError
from nnjax.runs import trust
from nnjax.sweeps.plan.space import Suggest
from nnjax.sweeps.plan.sweep import Search
from nnjax.sweeps.record.drawing import (
    LABELS,
    REFUSED,
    SAMPLER_STATE,
    Drawing,
    IsAllowed,
    has_foreign_pickles,
    is_refused,
    make_sampler,
    silence_optuna,
)
from nnjax.sweeps.record.journal import JOURNAL, open_storage

PROGRAM = "program"
"""User attribute of a trial: the number of its program. A trial without it is not planned yet."""

OWNER = "owner"
"""User attribute: the name of the worker that claimed the trial."""

DEATHS = "deaths"
"""User attribute: how many workers died while they trained the trial."""

REASON = "reason"
"""User attribute of a failed trial: why it failed, in a sentence."""

MOST_DEATHS = 3
"""A trial that so many workers died of is marked as failed."""

NAME = "sweep"

CLAIM_TIME = timedelta(seconds=10)
"""A worker claims a trial and then writes its name; meanwhile the name may be missing."""


class Study:
    """The trials of a sweep."""

    def __init__(
        self,
        directory: Path,
        search: Search,
        *,
        name: str = NAME,
        maximize: bool | None = None,
        trust: bool = False,
    ):
        """Opens the study of a sweep, or makes it.

        Args:
          directory: of the sweep.
          search: sampler, pruner and storage.
          name: of the study in a storage of ``search``, which may hold other sweeps too.
          maximize: whether larger values are better; given where the study may have to be made.
          trust: whether to unpickle the state of the sampler although somebody else made it.

        Raises:
          UserError: the storage cannot be reached, has no such study, or is damaged.
        """
        silence_optuna()
        self._directory, self._search, self._trust = directory, search, trust
        name = name if search.storage else NAME
        try:
            self._storage = open_storage(directory, search.storage)
            self._study = self._open(name, maximize)
            if self._study is None:
                raise UserError(f"the storage of {directory} has no study '{name}'")
            _check(self.trials())
        except UserError:
            raise
        except Exception as error:
            said = str(error) or type(error).__name__
            if search.storage:
                where = f"the storage '{search.storage}' cannot be used"
            else:
                where = f"the record of {directory} is damaged: {directory / JOURNAL}"
            raise UserError(f"{where}: {said}") from error

    def _open(self, name: str, maximize: bool | None) -> Any:
        """Optuna's study; None where there is none and none may be made."""
        settings: dict[str, Any] = {
            "study_name": name,
            "storage": self._storage,
            "sampler": make_sampler(self._search),
            "pruner": make_pruner(self._search),
        }
        # Asked first: to a journal, Optuna writes even the attempt to make a study that is there.
        if name in [study.study_name for study in self._storage.get_all_studies()]:
            return optuna.load_study(**settings)
        if maximize is None:
            return None
        direction = "maximize" if maximize else "minimize"
        return optuna.create_study(**settings, direction=direction, load_if_exists=True)

    # Trials

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in some states; all of them where no state is named."""
        return self._study.get_trials(deepcopy=False, states=states or None)

    def counts(self) -> Counter[str]:
        """The number of trials in each state, by its name in lower case; refused ones left out."""
        trials = [trial for trial in self.trials() if not is_refused(trial)]
        return Counter(trial.state.name.lower() for trial in trials)

    @property
    def maximizes(self) -> bool:
        """Whether larger values are better."""
        return self._study.direction == optuna.study.StudyDirection.MAXIMIZE

    def best(self) -> FrozenTrial | None:
        """The best complete trial; None where no trial is complete."""
        with contextlib.suppress(ValueError):
            return self._study.best_trial
        return None

    def add(self, labels: Mapping[str, Any], distributions: Mapping[str, Any]) -> None:
        """Adds a waiting trial with these values, in one write."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.WAITING, params=dict(labels), distributions=dict(distributions)
            )
        )

    def draw(
        self,
        count: int,
        distributions: Mapping[str, Any],
        suggest: Suggest | None = None,
        is_allowed: IsAllowed | None = None,
    ) -> None:
        """Draws waiting trials, all of them before any of their results is known.

        Each is added to the record in one write.

        Args:
          count: how many trials to draw, those that are refused not counted.
          distributions: of the values, by dotted path.
          suggest: draws the values instead; returns them by dotted path.
          is_allowed: whether to train a trial with these values; None allows all.

        Raises:
          UserError: too many draws in a row are refused, the record cannot hold a value, or it
            holds pickles of somebody else.
        """
        if has_foreign_pickles(self._study, self._search):
            code = ["unpickle the state of its sampler"]
            trust.check(self._directory, code, is_ours=False, trust=self._trust)
        drawing = Drawing(self._study, self._search)
        for _ in range(count):
            for trial in drawing.draw(distributions, suggest, is_allowed):
                self._study.add_trial(trial)

    def drawn(self) -> int:
        """The number of trials, without those refused."""
        return sum(not is_refused(trial) for trial in self.trials())

    def refuse_half_drawn(self) -> None:
        """Refuses trials that lack values, as earlier versions left them when they were killed."""
        for trial in self.trials(TrialState.WAITING, TrialState.RUNNING):
            if LABELS not in trial.user_attrs:
                self.refuse(trial.number)

    def refuse(self, number: int) -> None:
        """Ends a trial that is not to be trained."""
        self.note(number, REFUSED, True)
        self.prune(number)

    def put_back(self, number: int) -> None:
        """Returns a running trial to the queue, without an owner even when it is claimed anew."""
        self.note(number, OWNER, "")
        self._storage.set_trial_state_values(self._id(number), TrialState.WAITING)

    def note(self, number: int, name: str, value: Any) -> None:
        """Sets a user attribute of a trial."""
        self._storage.set_trial_user_attr(self._id(number), name, value)

    # Claims

    def waiting(self) -> list[FrozenTrial]:
        """The trials that wait for a worker, in the order of their numbers."""
        return self.trials(TrialState.WAITING)

    def claim(
        self, program: int, most: int, owner: str, *, suspects: bool = False
    ) -> list[FrozenTrial]:
        """Claims waiting trials of one program, in the order of their numbers.

        Args:
          program: its number.
          most: the largest number of trials to claim.
          owner: the name of the worker.
          suspects: claim only suspects (see ``is_suspect``); otherwise claim only other trials.
        """
        claimed: list[FrozenTrial] = []
        for trial in self.waiting():
            if len(claimed) == most:
                break
            if trial.user_attrs.get(PROGRAM) != program or self.is_suspect(trial) != suspects:
                continue
            if self._begin(trial):
                self._storage.set_trial_user_attr(trial._trial_id, OWNER, owner)
                claimed.append(trial)
        return claimed

    def _begin(self, trial: FrozenTrial) -> bool:
        """Sets a waiting trial to running; returns False where another worker was faster."""
        try:
            return self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def is_suspect(self, trial: FrozenTrial) -> bool:
        """Whether a trial must be trained alone, because it may be what killed its workers."""
        return trial.user_attrs.get(DEATHS, 0) >= MOST_DEATHS - 1

    def owners(self) -> set[str]:
        """The names of the workers that hold running trials; "" for a trial that nobody holds."""
        owners = {_owner(trial) for trial in self.trials(TrialState.RUNNING)}
        return {owner for owner in owners if owner is not None}

    def release(self, owner: str, *, died: bool) -> None:
        """Returns the trials of a worker to the queue.

        Args:
          owner: the name of the worker.
          died: whether the trials may be why the worker died; a trial with ``MOST_DEATHS`` fails.
        """
        for trial in self.trials(TrialState.RUNNING):
            if _owner(trial) != owner:
                continue
            deaths = trial.user_attrs.get(DEATHS, 0) + died
            self.note(trial.number, DEATHS, deaths)
            if deaths >= MOST_DEATHS:
                self.fail(trial.number, f"its worker died {deaths} times while training it")
            else:
                self.put_back(trial.number)

    # Results

    def report(self, number: int, value: float, step: int) -> bool:
        """Records an intermediate value; returns whether the pruner stops the trial.

        Args:
          number: of the trial.
          value: the objective.
          step: how far the trial is, in a unit that is the same for all trials.
        """
        if isinstance(self._study.pruner, optuna.pruners.NopPruner):
            return False
        trial = optuna.Trial(self._study, self._id(number))
        # A trial that went on from a checkpoint may have reported this step before it stopped.
        if step not in self._storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(value, step)
        return trial.should_prune()

    def complete(self, number: int, value: float) -> None:
        """Ends a trial with its value."""
        self._tell(number, value, TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """Ends a trial that the pruner stopped."""
        self._tell(number, None, TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        """Ends a trial that has no result, with the reason in a sentence."""
        self.note(number, REASON, reason)
        self._tell(number, None, TrialState.FAIL)

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        trial = self._id(number)
        # Optuna ends running trials only.
        if self._storage.get_trial(trial).state == TrialState.WAITING:
            self._storage.set_trial_state_values(trial, TrialState.RUNNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(number, value, state=state, skip_if_finished=True)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)


def _owner(trial: FrozenTrial) -> str | None:
    """The owner of a running trial: a name, "" for nobody, or None while it cannot be told yet."""
    if owner := trial.user_attrs.get(OWNER):
        return owner
    began = trial.datetime_start
    return None if began and datetime.now() - began < CLAIM_TIME else ""


_TYPES: Mapping[str, type] = {
    PROGRAM: int,
    LABELS: dict,
    OWNER: str,
    DEATHS: int,
    REASON: str,
    REFUSED: bool,
}
"""The type of each user attribute that the code above reads."""


def _check(trials: list[FrozenTrial]) -> None:
    """Checks what the code above reads of a record, which another program may have written.

    Raises:
      ValueError: a value is of another type.
    """
    for trial in trials:
        attributes = {name: trial.user_attrs.get(name, kind()) for name, kind in _TYPES.items()}
        wrong = [name for name, value in attributes.items() if not isinstance(value, _TYPES[name])]
        if not isinstance(trial.system_attrs.get(SAMPLER_STATE, {}), dict):
            wrong.append(SAMPLER_STATE)
        values = [*(trial.values or []), *trial.intermediate_values.values()]
        has_value = trial.state != TrialState.COMPLETE or len(trial.values or []) == 1
        if not has_value or not all(isinstance(value, int | float) for value in values):
            wrong.append("value")
        if wrong:
            raise ValueError(f"the {wrong[0]} of trial {trial.number} is of a wrong type")


def make_pruner(search: Search) -> optuna.pruners.BasePruner:
    """The pruner of a search."""
    pruners = optuna.pruners
    makers = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "successive_halving": pruners.SuccessiveHalvingPruner,
        "hyperband": pruners.HyperbandPruner,
    }
    return makers[search.pruner]()
