"""The options of the training loop."""

import dataclasses
import math
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import numpy as np

from nnjax.errors import UserError
from nnjax.fields import Bounds
from nnjax.traced import SEEDS, check_number

MOST_STEPS = 2**31 - 1
"""Updates are counted in 32 bits."""

MOST_DEVICES = 2**20
MOST_THREADS = 1024

SMOKE_STEPS = 3
"""Updates of a run with the ``smoke`` option."""

SMOKE_EVALUATION_BATCHES = 1
"""Batches of each split that a run with the ``smoke`` option evaluates."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of the training loop: durations, batches, evaluation, checkpoints and devices.

    Attributes:
      epochs: length of the training in passes over the training data; give one of epochs, steps
        and examples.
      steps: length of the training in batches.
      examples: length of the training in training examples.
      batch_size: examples of a batch; 0 takes the whole training split, unshuffled.
      seed: seed of the initial parameters, dropout and, without a data_seed, the data order.
      data_seed: seed of the data order, which is a function of this seed and the epoch alone.
      evaluate_every: epochs between two evaluations, to the nearest whole number of updates.
      evaluate_train: also evaluate the training split after training, over every example.
      monitor: the metric that decides which parameters are best and when to stop early: a split and
        a metric, as in "validation accuracy" or "train loss"; "auto" is the validation accuracy
        (loss, if the accuracy is not measured) if there is a validation split; "none" keeps the
        last parameters.
      patience: stop after this many evaluations without improvement; None never stops early.
      checkpoint_seconds: seconds between two checkpoints.
      keep_checkpoints: number of checkpoints to keep, the newest ones.
      devices: train on this number of devices of the machine; 0 takes all, those of all processes
        if there are several.
      threads: processor threads of a CPU device; 0 takes all. Networks whose update takes fewer
        than 20 million operations are faster on one thread.
      smoke: stop after a few updates and evaluate a few batches of each split, to check that an
        experiment works; the schedule is that of the whole run.

    Raises:
      UserError: a value is of another type or out of range, or there is not exactly one duration.

    Example:
      >>> from nnjax.training import Training
      >>> Training(epochs=3, batch_size=20).total_steps(examples=50)
      9
    """

    epochs: Annotated[float | None, Bounds(at_most=MOST_STEPS)] = None
    steps: Annotated[int | None, Bounds(at_most=MOST_STEPS)] = None
    examples: int | None = None
    batch_size: int = 128
    seed: int = 0
    data_seed: int | None = None
    evaluate_every: float = 1.0
    evaluate_train: bool = True
    monitor: str = "auto"
    patience: int | None = None
    checkpoint_seconds: float = 30.0
    keep_checkpoints: int = 2
    devices: Annotated[int, Bounds(at_most=MOST_DEVICES)] = 1
    threads: Annotated[int, Bounds(at_most=MOST_THREADS)] = 0
    smoke: bool = False

    def __post_init__(self):
        _check_types(self)
        durations = {"epochs": self.epochs, "steps": self.steps, "examples": self.examples}
        given = {name: value for name, value in durations.items() if value is not None}
        if len(given) != 1:
            raise UserError(f"give one of epochs, steps and examples, not {given or 'none'}")
        positive = {**given, "evaluate_every": self.evaluate_every}
        positive["keep_checkpoints"] = self.keep_checkpoints
        if self.patience is not None:
            positive["patience"] = self.patience
        for name, value in positive.items():
            if not 0 < value < math.inf:
                raise UserError(f"{name} must be positive, not {value}")
        at_least_zero = (
            "batch_size",
            "seed",
            "data_seed",
            "devices",
            "threads",
            "checkpoint_seconds",
        )
        for name in at_least_zero:
            if (getattr(self, name) or 0) < 0:
                raise UserError(f"{name} must not be negative, it is {getattr(self, name)}")
        check_number("seed", self.seed, below=SEEDS)
        check_number("data_seed", self.data_seed, below=SEEDS)

    def total_steps(self, examples: int) -> int:
        """Returns the number of batches of the whole run, for a training split of ``examples``.

        Raises:
          UserError: there are more than ``MOST_STEPS``.
        """
        total = self._total_steps(examples)
        if total > MOST_STEPS:
            raise UserError(
                f"the run would make {total:.3g} updates, and at most {MOST_STEPS:,} are counted; "
                "give fewer epochs, steps or examples"
            )
        return total

    def _total_steps(self, examples: int) -> int:
        if self.steps is not None:
            return self.steps
        if self.examples is not None:
            epochs, rest = divmod(self.examples, examples)
            steps = epochs * self.steps_per_epoch(examples)
            return max(1, steps + math.ceil(rest / self.batch(examples)))
        assert self.epochs is not None
        return max(1, round(self.epochs * self.steps_per_epoch(examples)))

    def steps_to_make(self, examples: int) -> int:
        """Returns the number of batches to train on: a few in a smoke run, else ``total_steps``."""
        total = self.total_steps(examples)
        return min(total, SMOKE_STEPS) if self.smoke else total

    def evaluation_batches(self) -> int | None:
        """Returns the largest number of batches to evaluate of a split; None for all."""
        return SMOKE_EVALUATION_BATCHES if self.smoke else None

    def steps_per_epoch(self, examples: int) -> int:
        """Returns the number of batches of an epoch, the last batch being what is left over."""
        return math.ceil(examples / self.batch(examples))

    def evaluation_steps(self, examples: int) -> int:
        """Returns the number of batches between two evaluations."""
        return max(1, round(self.evaluate_every * self.steps_per_epoch(examples)))

    def batch(self, examples: int) -> int:
        """Returns the number of examples of a batch.

        Raises:
          UserError: the batch is larger than the training split.
        """
        if self.batch_size > examples:
            raise UserError(
                f"batch_size {self.batch_size} is larger than the {examples} training examples; "
                f"give at most {examples}, or 0 for all of them"
            )
        return self.batch_size or examples


def _check_types(training: Training) -> None:
    """Refuses values of another type, which a config file may hold."""
    for field in dataclasses.fields(training):
        name, value, kinds = field.name, getattr(training, field.name), _kinds(field.type)
        if value is None and NoneType in kinds:
            continue
        if int in kinds and not isinstance(value, Integral):
            raise UserError(f"{name} must be a whole number, not {value!r}")
        if bool in kinds and not isinstance(value, bool | np.bool_):
            raise UserError(f"{name} must be True or False, not {value!r}")
        if str in kinds and not isinstance(value, str):
            raise UserError(f"{name} must be a text, not {value!r}")
        if float in kinds and (not isinstance(value, Real) or math.isnan(value)):
            raise UserError(f"{name} must be a number, not {value!r}")


def _kinds(declared: Any) -> tuple[Any, ...]:
    """The types that a declaration such as ``int | None`` allows, with bounds or without."""
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    return get_args(declared) or (declared,)
