"""How long to train, and how: the options of the loop."""

import dataclasses
import math
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from nnjax.errors import UserError
from nnjax.fields import Bounds
from nnjax.traced import SEEDS, check_number

MOST_STEPS = 2**31 - 1
"""Updates are counted in 32 bits."""

MOST_DEVICES = 2**20
MOST_THREADS = 1024

SMOKE_STEPS = 5
"""Updates of a run with the ``smoke`` option."""

SMOKE_EVALUATION_BATCHES = 2
"""Batches of each split that a run with the ``smoke`` option evaluates."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Durations, batches, evaluation, checkpoints and devices.

    Attributes:
      epochs: how long to train, in passes over the training data.
      steps: the same in updates; give one of epochs, steps and examples.
      examples: the same in training examples seen.
      batch_size: examples an update; 0 takes the whole training split, unshuffled.
      seed: draws the initial parameters, dropout and, unless data_seed is given, the data order.
      data_seed: draws the data order, which is a function of this seed and the epoch alone.
      evaluate_every: epochs between two evaluations, to the nearest whole number of updates.
      evaluate_train: also evaluate the training split after training, over every example.
      monitor: what decides which parameters are best and when to stop early: a split and a metric,
        as in "validation accuracy" or "train loss"; "auto" is the validation accuracy (loss, if the
        accuracy is not measured) where there is a validation split; "none" keeps the last.
      patience: stop after this many evaluations without improvement; None never does.
      checkpoint_seconds: time between two checkpoints.
      keep_checkpoints: how many of the newest to keep.
      devices: train on the first so many devices of the machine; 0 takes all, of several processes
        those of all.
      threads: processor threads that one CPU device uses; 0 takes all. Networks whose update takes
        fewer than 20 million operations are faster on one.
      smoke: stop after a few updates and evaluate a few batches of each split, to check that an
        experiment works; the schedule is that of the whole run.
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
        """Updates in the whole run, for a training split of ``examples``; at least one.

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
        """The same, or a few where ``smoke`` cuts the run short of its schedule."""
        total = self.total_steps(examples)
        return min(total, SMOKE_STEPS) if self.smoke else total

    def evaluation_batches(self) -> int | None:
        """The largest number of batches of a split to evaluate; None for the whole split."""
        return SMOKE_EVALUATION_BATCHES if self.smoke else None

    def steps_per_epoch(self, examples: int) -> int:
        """Updates in one pass over ``examples``, the last one with what is left over."""
        return math.ceil(examples / self.batch(examples))

    def evaluation_steps(self, examples: int) -> int:
        """Updates between two evaluations."""
        return max(1, round(self.evaluate_every * self.steps_per_epoch(examples)))

    def batch(self, examples: int) -> int:
        """Examples an update.

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
    """Refuses what the command line would never give, but a config file may."""
    for field in dataclasses.fields(training):
        name, value, kinds = field.name, getattr(training, field.name), _kinds(field.type)
        if value is None and NoneType in kinds:
            continue
        if int in kinds and not isinstance(value, Integral):
            raise UserError(f"{name} must be a whole number, not {value!r}")
        if float in kinds and (not isinstance(value, Real) or math.isnan(value)):
            raise UserError(f"{name} must be a number, not {value!r}")


def _kinds(declared: Any) -> tuple[Any, ...]:
    """The types that a declaration such as ``int | None`` allows, with bounds or without."""
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    return get_args(declared) or (declared,)
