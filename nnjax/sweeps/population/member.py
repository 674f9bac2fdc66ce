"""A trial in training: its run directory, what was measured of it, and how it ends."""

import contextlib
import dataclasses
import math
import time
from typing import Any

import jax

from nnjax import parameters
from nnjax.data.dataset import SPLITS, Dataset
from nnjax.errors import warn
from nnjax.learners.state import State
from nnjax.runs.checkpoints import AllDamaged, Checkpoints
from nnjax.runs.run import Run
from nnjax.sweeps.plan.tracing import Lifted, Numbers, numbers
from nnjax.sweeps.population.group import Group
from nnjax.training import best, snapshot
from nnjax.training.experiment import Experiment
from nnjax.training.updates import Carry

Measured = dict[str, dict[str, float]]
"""Metrics by split."""


class Member:
    """A trial of a population. Its run directory is as if the experiment trained alone.

    Attributes:
      number: of the trial.
      experiment: of the trial.
      run: its directory.
      values: the numbers in which it differs from the other members.
      step: updates made.
      best_so_far: the best value of the monitored metric, its step, and the evaluations since.
    """

    def __init__(
        self, number: int, experiment: Experiment, run: Run, data: Dataset, lifted: Lifted
    ):
        self.number, self.experiment, self.run = number, experiment, run
        self.values: Numbers = numbers(experiment, lifted.paths)
        self.step = 0
        self.best_so_far = best.Standing()
        training = experiment.training
        learner = lifted.learner(self.values)
        self.monitor = best.make_monitor(training.monitor, learner, data)
        best.check_patience(training.patience, self.monitor)
        self._data = data
        self._lifted = lifted
        self._examples = data.size("train")
        self._every = training.evaluation_steps(self._examples)
        self._per_epoch = training.steps_per_epoch(self._examples)
        self._total = training.steps_to_make(self._examples)
        self._checkpoints = Checkpoints(run.checkpoints, keep_last=training.keep_checkpoints)
        self._locks = contextlib.ExitStack()
        self._measured: Measured = {}
        self._earlier_seconds = 0.0
        self._began = time.perf_counter()

    # Beginning

    def begin(self, group: Group) -> tuple[Carry, State]:
        """What its next update begins with, and its best state: as saved, or drawn from its seed.

        Where every checkpoint is damaged, it begins anew with a warning.
        """
        carry = group.initial(self.values, self.experiment.training.seed)
        self._locks.enter_context(self.run.locked())
        self.run.record_data(self._data)
        self.run.write_summary({"status": "running"})
        wanted = snapshot.abstract(snapshot.tree(carry, carry.state if self.monitor else None))
        try:
            restored = self._checkpoints.restore(wanted, on_fallback=warn)
        except AllDamaged as error:
            warn(f"trial {self.number} begins anew: {error.what}")
            restored = None
        if restored is None:
            self.run.truncate_metrics(0)
            return carry, carry.state
        self.step, tree, meta = restored
        snapshot.check_resumable(meta, self.run, self.experiment.training, self._examples)
        self.best_so_far = best.Standing(**meta["standing"])
        self._earlier_seconds = meta["seconds"]
        self.run.truncate_metrics(self.step)
        carry = tree["carry"]
        return carry, tree["best"] if self.monitor else carry.state

    # Going on

    def updates_to_do(self) -> int:
        """Updates up to its next evaluation or its end."""
        return min(self._every - self.step % self._every, self._total - self.step)

    def updates_left(self) -> int:
        """Updates up to its end, if nothing stops it early."""
        return self._total - self.step

    @property
    def evaluations(self) -> int:
        """How many evaluations its updates contain, the one at its end included."""
        return -(-self.step // self._every)

    @property
    def is_due(self) -> bool:
        """Whether it is to be evaluated now."""
        return self.step % self._every == 0 or self.step == self._total

    @property
    def is_over(self) -> bool:
        """Whether its last update is made, or early stopping has come."""
        patience = self.experiment.training.patience
        exhausted = patience is not None and self.best_so_far.since >= patience
        return self.step >= self._total or exhausted

    def splits(self) -> tuple[str, ...]:
        """The splits that its evaluation measures: the one it shows and the one that decides."""
        shown = "validation" if self._data.size("validation") else "test"
        deciding = [self.monitor.split] if self.monitor else []
        return tuple(dict.fromkeys([shown] * bool(self._data.size(shown)) + deciding))

    def record(self, train: dict[str, float], measured: Measured) -> bool:
        """Takes in an evaluation; returns whether its present state is its best.

        Args:
          train: metrics of the updates since the last evaluation.
          measured: metrics of ``splits()``.
        """
        self._write("train", train)
        shown = "validation" if self._data.size("validation") else "test"
        if shown in measured:
            self._write(shown, measured[shown])
        self.run.append_timings({"step": self.step, "seconds": self._seconds()})
        if self.monitor is None:
            self._measured = measured
            return False
        value = measured[self.monitor.split][self.monitor.metric]
        improved = self.best_so_far.observe(self.monitor, value, self.step)
        if improved:
            self._measured = measured
        return improved

    def _write(self, split: str, measured: dict[str, float]) -> None:
        epoch = round(self.step / self._per_epoch, 6)
        self.run.append_metrics({"step": self.step, "epoch": epoch, "split": split, **measured})

    def save(self, carry: Carry, best_state: State) -> None:
        """Saves a checkpoint like that of a run alone, in the background."""
        tree = snapshot.tree(carry, best_state if self.monitor else None)
        meta = {
            "standing": dataclasses.asdict(self.best_so_far),
            "seconds": self._seconds(),
            "position": {},
            "batches": snapshot.batches(self.experiment.training, self._examples),
        }
        self._checkpoints.save(self.step, tree, meta)

    # Ending

    def splits_to_finish(self) -> tuple[str, ...]:
        """The splits that its summary still lacks."""
        wanted = [name for name in SPLITS if self._data.size(name)]
        if not self.experiment.training.evaluate_train:
            wanted.remove("train")
        return tuple(name for name in wanted if name not in self._measured)

    @property
    def has_best(self) -> bool:
        """Whether its result is its best state, and not its last."""
        return self.best_so_far.best_step is not None

    def finish(self, state: State, measured: Measured) -> dict[str, Any]:
        """Writes its summary and returns it.

        Args:
          state: of the learner, for the number of parameters.
          measured: metrics of ``splits_to_finish()``.
        """
        known = {**self._measured, **measured}
        summary = {
            "status": "finished",
            **{name: known[name] for name in SPLITS if name in known},
            "steps": self.step,
            "epochs": self.step / self._per_epoch,
            "best_step": self.best_so_far.best_step,
            "parameters": parameters.count(jax.eval_shape(lambda: state).params),
            "seconds": self._seconds(),
        }
        self._end(summary)
        return summary

    def stop(self, status: str, **facts: Any) -> None:
        """Ends it before its time: "pruned", "diverged", or "interrupted" to go on later."""
        self._end({"status": status, "step": self.step, **facts})

    def release(self) -> None:
        """Lets other members train the run, in case this one was not ended."""
        self._locks.close()

    def _end(self, summary: dict[str, Any]) -> None:
        self._checkpoints.close()
        self.run.write_summary(summary)
        self.run.close()
        self._locks.close()

    def _seconds(self) -> float:
        return self._earlier_seconds + time.perf_counter() - self._began


def is_finite(measured: Measured) -> bool:
    """Whether the loss of a training split, where it was measured, is a number."""
    return math.isfinite(measured.get("train", {}).get("loss", 0.0))
