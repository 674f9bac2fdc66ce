"""A sweep: an experiment, the values of some of its fields, and how to search them."""

import dataclasses
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np

from nnjax import fields
from nnjax.errors import UserError
from nnjax.field_types import conform_value
from nnjax.sweeps.plan.space import Dimension, Label, Suggest, Values
from nnjax.training.experiment import Experiment

Sampler = Literal["grid", "random", "tpe", "cmaes", "qmc", "gp"]
Pruner = Literal["none", "median", "successive_halving", "hyperband"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """How to search a space.

    Attributes:
      sampler: "grid" takes every combination of the listed values; "random", "tpe", "cmaes", "qmc"
        and "gp" are Optuna's samplers.
      trials: how many to draw; a grid has its own number.
      at_once: trials drawn at a time, before the results of any of them are known.
      pruner: one of Optuna's pruners, which stops trials that fall behind; it compares trials at
        their evaluations, after equal numbers of epochs.
      metric: the split and the metric that rank trials, as in "validation accuracy"; "auto" is what
        training monitors, or the training loss where nothing is monitored.
      sampler_seed: of the sampler.
      members: how many trials of a program to train at once; 0 measures which is faster, one or as
        many as memory holds.
      shared_data_order: give every trial the same batches, whatever its seed. This is faster,
        because the first layer multiplies each batch by the kernels of all trials in one product.
      storage: URL of Optuna's storage, for many machines; empty keeps a journal file in the
        sweep's directory.

    Raises:
      UserError: a number is too small, or the sampler and the number of trials do not fit.

    Example:
      >>> from nnjax.sweeps import Search
      >>> Search(sampler="tpe", trials=50, pruner="median").at_once
      16
    """

    sampler: Sampler = "grid"
    trials: int | None = None
    at_once: int = 16
    pruner: Pruner = "none"
    metric: str = "auto"
    sampler_seed: int = 0
    members: int = 0
    shared_data_order: bool = False
    storage: str = ""

    def __post_init__(self):
        for name, least in (("trials", 1), ("at_once", 1), ("members", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} must be at least {least}, not {value}")
        if self.sampler == "grid" and self.trials is not None:
            raise UserError(
                f"a grid has its own number of trials, not {self.trials}; leave out --trials, or "
                "take a sampler: --sampler random"
            )
        if self.sampler != "grid" and self.trials is None:
            raise UserError(f"--sampler {self.sampler} needs the number of trials: --trials 50")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One point of a sweep.

    Attributes:
      labels: the values as they are shown and stored, by the dotted path of their field.
      experiment: the experiment with these values.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.sweeps import Sweep
      >>> from nnjax.training import Experiment, Training
      >>> experiment = Experiment(
      ...     data=Circles(), learner=Supervised(MLP()), training=Training(epochs=1)
      ... )
      >>> trial = Sweep(experiment=experiment, over={"l2": (0.0, 0.1)}).trial({"l2": 0.1})
      >>> trial.experiment.learner.l2
      0.1
    """

    labels: Mapping[str, Label]
    experiment: Experiment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """An experiment and the values to try; a sweep file defines one as ``sweep``.

    Attributes:
      experiment: what the trials have in common.
      over: a dimension or a sequence of values for each field, by its dotted path.
      suggest: draws the values with Optuna, for spaces in which one choice opens others; given
        instead of ``over``, with a sampler.
      allowed: whether to try a combination; None allows all.
      search: sampler, pruner and so on.

    Raises:
      UserError: there is no such field, a value does not fit its field or is there twice, or the
        space and the sampler do not fit.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.sweeps import Range, Sweep
      >>> from nnjax.training import Experiment, Training
      >>> experiment = Experiment(
      ...     data=Circles(), learner=Supervised(MLP()), training=Training(epochs=1)
      ... )
      >>> sweep = Sweep(experiment=experiment, over={"l2": Range(0, 1, count=3), "seed": (0, 1)})
      >>> sweep.space["l2"].points()
      (0, 0.5, 1)
    """

    experiment: Experiment
    over: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    suggest: Suggest | None = None
    allowed: Callable[[Mapping[str, Label]], bool] | None = None
    search: Search = dataclasses.field(default_factory=Search)

    def __post_init__(self):
        for path, values in self.over.items():
            fields.get(self.experiment, path)
            if not hasattr(values, "distribution"):
                _check_values(self.experiment, path, values)
        if self.suggest is None and not self.over:
            raise UserError(
                "a sweep needs values to try, as in --over optimizer.learning-rate 0.01 0.1"
            )
        if self.suggest is not None and self.search.sampler == "grid":
            raise UserError("a space that is drawn has no grid; take a sampler: --sampler random")

    @property
    def space(self) -> dict[str, Dimension]:
        """The dimensions, in the order in which they were given."""
        return {path: _dimension(values) for path, values in self.over.items()}

    def trial(self, labels: Mapping[str, Label]) -> Trial:
        """The trial with these values.

        Raises:
          UserError: a value does not fit its field.
        """
        space = self.space
        values = {
            path: space[path].value(label) if path in space else label
            for path, label in labels.items()
        }
        if self.search.shared_data_order:
            training = self.experiment.training
            seed = training.seed if training.data_seed is None else training.data_seed
            values = {"data_seed": seed, **values}
        # A value may be for a field of a class that another value chooses.
        drawn = fields.replace(self.experiment, values, check=False)
        values = {path: _fitting(drawn, path, value) for path, value in values.items()}
        return Trial(labels=labels, experiment=fields.replace(self.experiment, values))


def _check_values(experiment: Experiment, path: str, values: Any) -> None:
    """Checks that values are a sequence, fit the field at a path, and are there once each."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"the values of {path} are given as several, not as {values!r}")
    for value in values:
        conform_value(experiment, path, value)
    plain = [value for value in values if isinstance(value, str | int | float | None)]
    if len(set(plain)) < len(plain):
        raise UserError(f"the values of {path} name a value twice: {values!r}")


def _fitting(experiment: Experiment, path: str, value: Any) -> Any:
    """The value in the type of its field; a range gives whole numbers as floats."""
    is_whole = isinstance(value, float) and value.is_integer()
    if is_whole and fields.is_whole(experiment, path):
        value = int(value)
    return conform_value(experiment, path, value)


def _dimension(values: Any) -> Dimension:
    """A range, or a list of values, as a dimension of a search space."""
    if hasattr(values, "distribution"):
        return values
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    is_plain = all(isinstance(value, str | int | float | None) for value in values)
    labels = values if is_plain else _distinct([_text(value) for value in values])
    return Values(tuple(labels), tuple(values))


def _text(value: Any) -> str:
    """A value as text: a function or class by its name, so that it is the same in every process."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return value.__name__
    text = re.sub(r"<(?:class|function|built-in function) '?([\w.<>]+)'?[^<>]*>", r"\1", str(value))
    return without_addresses(text)


def without_addresses(text: str) -> str:
    """A text, such as that of a function, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _distinct(labels: list[str]) -> list[str]:
    """The labels, each but the first of equal ones, as those of two lambdas, with a number."""
    seen: Counter[str] = Counter()
    found = []
    for label in labels:
        seen[label] += 1
        found.append(f"{label} ({seen[label]})" if seen[label] > 1 else label)
    return found
