"""The record of a sweep in Optuna's storage: which trials there are, who trains them, what came.

A trial waits, is claimed by a worker, and ends as complete, pruned or failed. Claims are atomic in
every storage, so any number of workers, on any number of machines, may share a study.
"""

import contextlib
import logging
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState

from nnjax.errors import UserError
from nnjax.sweeps.plan.sweep import Search

JOURNAL = "journal.log"

PROGRAM = "program"
"""Attribute of a trial: the number of its program. A trial without one is not planned yet."""

LABELS = "labels"
"""Attribute of a trial that was drawn: its values by dotted path."""

OWNER = "owner"
REFUSED = "refused"
DEATHS = "deaths"
REASON = "reason"

MOST_DEATHS = 3
"""A trial whose workers died so often is marked as failed."""

NAME = "sweep"

JUST_NOW = timedelta(seconds=10)
"""A worker that claims a trial writes its name at once; for so long it may be missing."""


class Study:
    """A sweep's trials."""

    def __init__(
        self, directory: Path, search: Search, *, name: str = NAME, maximize: bool | None = None
    ):
        """Opens the study of a sweep, or makes it.

        Args:
          directory: of the sweep.
          search: sampler, pruner and storage.
          name: of the study in a storage of ``search``, which may have those of other sweeps too.
          maximize: whether larger values are better, where the study is made.

        Raises:
          UserError: the storage cannot be reached, or its record is damaged.
        """
        quieten()
        self._search = search
        name = name if search.storage else NAME
        where = f"the storage '{search.storage}'" if search.storage else str(directory / JOURNAL)
        try:
            self._storage = _storage(directory, search.storage)
            settings: dict[str, Any] = {
                "study_name": name,
                "storage": self._storage,
                "sampler": make_sampler(search),
                "pruner": _pruner(search),
            }
            if maximize is None:
                self._study = optuna.load_study(**settings)
            else:
                direction = "maximize" if maximize else "minimize"
                self._study = optuna.create_study(
                    **settings, direction=direction, load_if_exists=True
                )
        except KeyError:
            raise UserError(f"the storage of {directory} has no study '{name}'") from None
        except Exception as error:
            if isinstance(error, ValueError) and not search.storage:
                where = f"the record of {directory} is damaged: {where}"
            else:
                where += " cannot be used"
            raise UserError(f"{where}: {error}") from error

    # Trials

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in some states; all of them where none is named."""
        return self._study.get_trials(deepcopy=False, states=states or None)

    def counts(self) -> Counter[str]:
        """How many trials are in each state, by its name in lower case."""
        trials = [trial for trial in self.trials() if not trial.user_attrs.get(REFUSED)]
        return Counter(trial.state.name.lower() for trial in trials)

    @property
    def maximizes(self) -> bool:
        """Whether larger values are better."""
        return self._study.direction == optuna.study.StudyDirection.MAXIMIZE

    def best(self) -> FrozenTrial | None:
        """The best complete trial, if there is one."""
        with contextlib.suppress(ValueError):
            return self._study.best_trial
        return None

    def add(self, labels: Mapping[str, Any], distributions: Mapping[str, Any]) -> None:
        """Adds a waiting trial with these values."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.WAITING, params=dict(labels), distributions=dict(distributions)
            )
        )

    def ask(self, distributions: Mapping[str, Any] | None = None) -> optuna.Trial:
        """Draws a trial; it runs until it is told or put back.

        What is drawn depends on the record alone, not on what this process drew before: a sweep
        that was stopped goes on as if it had not been.
        """
        if sampler := make_sampler(self._search, len(self.trials())):
            self._study.sampler = sampler
        return self._study.ask(dict(distributions or {}))

    def drawn(self) -> int:
        """How many trials there are, without those refused."""
        return sum(not trial.user_attrs.get(REFUSED) for trial in self.trials())

    def refuse(self, number: int) -> None:
        """Ends a trial that is not to be tried."""
        self.note(number, REFUSED, True)
        self.prune(number)

    def put_back(self, number: int) -> None:
        """Makes a running trial wait again; it is nobody's, also when it has just been claimed."""
        self.note(number, OWNER, "")
        self._storage.set_trial_state_values(self._id(number), TrialState.WAITING)

    def note(self, number: int, name: str, value: Any) -> None:
        """Sets an attribute of a trial."""
        self._storage.set_trial_user_attr(self._id(number), name, value)

    # Work

    def waiting(self) -> list[FrozenTrial]:
        """The trials that wait for a worker, in the order of their numbers."""
        return self.trials(TrialState.WAITING)

    def claim(
        self, program: int, most: int, owner: str, *, suspects: bool = False
    ) -> list[FrozenTrial]:
        """Takes waiting trials of one program, in the order of their numbers.

        Args:
          program: its number.
          most: how many to take at most.
          owner: who takes them.
          suspects: take only those whose worker died more than once, or only others.
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
        """Has a trial run; False where another worker was faster."""
        try:
            return self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def is_suspect(self, trial: FrozenTrial) -> bool:
        """Whether a trial is trained alone, as its worker died too often while it trained it."""
        return trial.user_attrs.get(DEATHS, 0) >= MOST_DEATHS - 1

    def report(self, number: int, value: float, step: int) -> bool:
        """Notes an intermediate value; returns whether the pruner gives the trial up."""
        if isinstance(self._study.pruner, optuna.pruners.NopPruner):
            return False
        trial = optuna.Trial(self._study, self._id(number))
        trial.report(value, step)
        return trial.should_prune()

    def complete(self, number: int, value: float) -> None:
        """Ends a trial with its value."""
        self._tell(number, value, TrialState.COMPLETE)

    def prune(self, number: int) -> None:
        """Ends a trial that the pruner gave up."""
        self._tell(number, None, TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        """Ends a trial that came to nothing, with the reason in a sentence."""
        self.note(number, REASON, reason)
        self._tell(number, None, TrialState.FAIL)

    def release(self, owner: str, *, died: bool) -> None:
        """Makes the trials of a worker wait again.

        Args:
          owner: the worker.
          died: whether its death may be the trials' fault; a trial that saw too many fails.
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

    def owners(self) -> set[str]:
        """Who holds running trials; the empty name where nobody does."""
        owners = {_owner(trial) for trial in self.trials(TrialState.RUNNING)}
        return {owner for owner in owners if owner is not None}

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        trial = self._id(number)
        # Optuna ends none but running trials.
        if self._storage.get_trial(trial).state == TrialState.WAITING:
            self._storage.set_trial_state_values(trial, TrialState.RUNNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(number, value, state=state, skip_if_finished=True)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)


def _owner(trial: FrozenTrial) -> str | None:
    """Who holds a running trial: nobody, the empty name, or None while that cannot be told yet."""
    if owner := trial.user_attrs.get(OWNER):
        return owner
    began = trial.datetime_start
    return None if began and datetime.now() - began < JUST_NOW else ""


def _storage(directory: Path, url: str) -> Any:
    if url:
        return optuna.storages.get_storage(url)
    # Optuna's lock is a link to this path: a relative one would lead nowhere, and Optuna takes only
    # a lock that leads somewhere for left behind by a process that was killed.
    journal = (directory / JOURNAL).absolute()
    _mend(journal)
    return optuna.storages.JournalStorage(JournalFileBackend(str(journal)))


def _mend(journal: Path) -> None:
    """Removes what a process that was killed, or a full disk, left of a lock or of a line."""
    lock = journal.with_name(journal.name + ".lock")
    if lock.is_symlink() and not lock.exists():
        # Of a directory that has been moved since.
        lock.unlink(missing_ok=True)
    if not journal.is_file() or _is_whole(journal):
        return
    held = JournalFileSymlinkLock(str(journal))
    held.acquire()
    try:
        # Unless another process was still writing it.
        if not _is_whole(journal):
            os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
    finally:
        held.release()


def _is_whole(journal: Path) -> bool:
    with open(journal, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def make_sampler(search: Search, drawn: int = 0) -> optuna.samplers.BaseSampler | None:
    """The sampler of a search; None for a grid.

    Args:
      search: its name and seed.
      drawn: how many trials there are already: every draw has a seed of its own.
    """
    samplers = optuna.samplers
    seed = int(np.random.SeedSequence([search.sampler_seed, drawn]).generate_state(1)[0])
    with warnings.catch_warnings():
        # Drawing several at once is marked as experimental in Optuna.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        makers = {
            "grid": lambda: None,
            "random": lambda: samplers.RandomSampler(seed),
            "tpe": lambda: samplers.TPESampler(seed=seed, constant_liar=True),
            "cmaes": lambda: samplers.CmaEsSampler(seed=seed),
            # A sequence, whose place Optuna reads from the record.
            "qmc": lambda: samplers.QMCSampler(seed=search.sampler_seed),
            "gp": lambda: samplers.GPSampler(seed=seed),
        }
        return makers[search.sampler]()


def _pruner(search: Search) -> optuna.pruners.BasePruner:
    pruners = optuna.pruners
    makers = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "successive_halving": pruners.SuccessiveHalvingPruner,
        "hyperband": pruners.HyperbandPruner,
    }
    return makers[search.pruner]()


def quieten() -> None:
    """Keeps Optuna from telling of every trial: the sweep has a table of its own."""
    optuna.logging.set_verbosity(logging.WARNING)
