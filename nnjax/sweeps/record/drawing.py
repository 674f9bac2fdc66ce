"""Drawing trials: by a sampler of Optuna, from a copy of the study in memory.

A sampler writes the values of a trial, and what it remembers, one after another. The copy takes
these writes; the record then receives the whole trial in one write. A process that is killed while
it draws therefore leaves no trial that lacks a value.
"""

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from nnjax.errors import UserError
from nnjax.runs import trust
from nnjax.sweeps.plan.space import Suggest
from nnjax.sweeps.plan.sweep import Search

LABELS = "labels"
"""User attribute of a trial: its values by dotted path. A drawn trial without it is not whole."""

REFUSED = "refused"
"""User attribute of a trial that is not to be trained."""

SAMPLER_STATE = "nnjax:sampler_state"
"""System attribute of a drawn trial: the attributes of the study that the draw changed, such as the
position in a quasi-random sequence. They belong to the trial, so that one write records both."""

PICKLES = "cma:optimizer"
"""How the system attributes begin in which CMA-ES keeps its state, pickled."""

SIGNATURE = "nnjax:signature"
"""System attribute of a drawn trial: this user's signature of its pickles."""

PURPOSE = "sampler"
"""What the signature is for."""

MOST_DRAWS = 1000
"""Consecutive draws that a sweep's ``allowed`` may refuse before this is taken for a mistake."""

IsAllowed = Callable[[Mapping[str, Any]], bool]


class Drawing:
    """A copy of a study in memory, from which trials are drawn before any of them has a result."""

    def __init__(self, study: optuna.Study, search: Search):
        """Copies a study.

        Args:
          study: the record; it stays as it is.
          search: the sampler and its seed.
        """
        silence_optuna()
        self._search = search
        # Hyperband assigns trials to brackets by the name of the study.
        self._study = optuna.create_study(
            study_name=study.study_name, direction=study.direction, pruner=study.pruner
        )
        attributes = study._storage.get_study_system_attrs(study._study_id)
        for trial in study.get_trials(deepcopy=False):
            attributes = {**attributes, **trial.system_attrs.get(SAMPLER_STATE, {})}
            self._study.add_trial(_as_running(trial))
        for name, value in attributes.items():
            self._study._storage.set_study_system_attr(self._study._study_id, name, value)

    def draw(
        self,
        distributions: Mapping[str, Any],
        suggest: Suggest | None = None,
        is_allowed: IsAllowed | None = None,
    ) -> Iterator[FrozenTrial]:
        """Draws trials until one is allowed; gives each, ready to be added to the record.

        What is drawn depends on the record and the number of the trial alone. A sweep that was
        stopped therefore draws the trials that it would have drawn without the stop.

        Args:
          distributions: of the values, by dotted path.
          suggest: draws the values instead; returns them by dotted path.
          is_allowed: whether to train a trial with these values; None allows all.

        Yields:
          Pruned trials with the attribute ``REFUSED``, whose values are not allowed; last, a
          waiting trial with the attribute ``LABELS``.

        Raises:
          UserError: ``MOST_DRAWS`` draws are refused, or the record cannot hold a value.
        """
        for _ in range(MOST_DRAWS):
            drawn = self._draw_one(distributions, suggest, is_allowed)
            yield drawn
            if not is_refused(drawn):
                return
        raise UserError(f"the sweep's `allowed` refused {MOST_DRAWS} combinations in a row")

    def _draw_one(
        self,
        distributions: Mapping[str, Any],
        suggest: Suggest | None,
        is_allowed: IsAllowed | None,
    ) -> FrozenTrial:
        count = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = make_sampler(self._search, count) or self._study.sampler
        before = dict(self._attributes())
        trial = self._study.ask(dict(distributions))
        labels = trial.params if suggest is None else suggest(trial)
        labels = {path: _recordable(path, label) for path, label in labels.items()}
        changed = {
            name: value for name, value in self._attributes().items() if before.get(name) != value
        }
        drawn = self._study._storage.get_trial(trial._trial_id)
        refused = is_allowed is not None and not is_allowed(labels)
        if refused:
            self._study.tell(trial, state=TrialState.PRUNED)
        mark = {REFUSED: True} if refused else {LABELS: labels}
        return optuna.trial.create_trial(
            state=TrialState.PRUNED if refused else TrialState.WAITING,
            params=drawn.params,
            distributions=drawn.distributions,
            user_attrs={**drawn.user_attrs, **mark},
            system_attrs={
                **drawn.system_attrs,
                **({SAMPLER_STATE: changed} if changed else {}),
                **_signature(drawn),
            },
        )

    def _attributes(self) -> Mapping[str, Any]:
        return self._study._storage.get_study_system_attrs(self._study._study_id)


def is_refused(trial: FrozenTrial) -> bool:
    """Whether a trial is not to be trained."""
    return bool(trial.user_attrs.get(REFUSED))


def has_foreign_pickles(study: optuna.Study, search: Search) -> bool:
    """Whether the sampler would unpickle what this user did not pickle on this machine."""
    trials = study.get_trials(deepcopy=False) if search.sampler == "cmaes" else []
    return any(
        (pickles := _pickles(trial))
        and not trust.is_signed(PURPOSE, pickles, trial.system_attrs.get(SIGNATURE))
        for trial in trials
    )


def _pickles(trial: FrozenTrial) -> dict[str, Any]:
    """The attributes of a trial that hold pickles."""
    return {name: value for name, value in trial.system_attrs.items() if name.startswith(PICKLES)}


def _signature(drawn: FrozenTrial) -> dict[str, Any]:
    """The attribute that signs the pickles of a trial; none where there is no pickle."""
    pickles = _pickles(drawn)
    return {SIGNATURE: trust.sign(PURPOSE, pickles)} if pickles else {}


def _as_running(trial: FrozenTrial) -> FrozenTrial:
    """The trial; a waiting one as running, because ``ask`` prefers a waiting trial to a new one."""
    if trial.state != TrialState.WAITING:
        return trial
    running = copy.copy(trial)
    running.state, running.datetime_start = TrialState.RUNNING, datetime.now()
    return running


def _recordable(path: str, label: Any) -> Any:
    """A label as the record holds it: a number, a word, None, or a list of these.

    Raises:
      UserError: it is something else.
    """
    if isinstance(label, np.generic):
        return label.item()
    if isinstance(label, list | tuple):
        return [_recordable(path, item) for item in label]
    if label is None or isinstance(label, str | int | float):
        return label
    raise UserError(
        f"`suggest` gives {path} a value that the sweep's record cannot hold, {label!r}; give "
        "numbers, words or tuples of them, and list classes and functions in `over`"
    )


def make_sampler(search: Search, drawn: int = 0) -> optuna.samplers.BaseSampler | None:
    """The sampler of a search; None for a grid.

    Args:
      search: its name and seed.
      drawn: the number of trials in the record, so that every draw has its own seed.
    """
    samplers = optuna.samplers
    seed = int(np.random.SeedSequence([search.sampler_seed, drawn]).generate_state(1)[0])
    with warnings.catch_warnings():
        # Optuna marks `constant_liar` as experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        makers = {
            "grid": lambda: None,
            "random": lambda: samplers.RandomSampler(seed),
            "tpe": lambda: samplers.TPESampler(seed=seed, constant_liar=True),
            "cmaes": lambda: samplers.CmaEsSampler(seed=seed),
            # The seed identifies the sequence; the study holds the position in it.
            "qmc": lambda: samplers.QMCSampler(seed=search.sampler_seed),
            "gp": lambda: samplers.GPSampler(seed=seed),
        }
        return makers[search.sampler]()


def silence_optuna() -> None:
    """Keeps Optuna from logging every trial: the sweep shows a table of its own."""
    optuna.logging.set_verbosity(logging.WARNING)
