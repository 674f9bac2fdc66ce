"""The training loop: updates, evaluations and checkpoints, from the first step or a resumed one."""

import dataclasses
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax

from nnjax import metrics, parameters
from nnjax.data.dataset import SPLITS, Dataset, Stream, conform
from nnjax.distributed import collectives, devices
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.runs import data_json
from nnjax.runs.checkpoints import import_in_background
from nnjax.runs.run import Run
from nnjax.training import best, fingerprint, snapshot, updates
from nnjax.training.best_state import BestState
from nnjax.training.divergence_advice import advice
from nnjax.training.evaluation import Evaluator
from nnjax.training.experiment import check_arguments, fit_to_data
from nnjax.training.feeds import make_feed
from nnjax.training.interruption import Interrupted, Request, requests
from nnjax.training.options import Training
from nnjax.training.progress import Progress
from nnjax.training.recorder import Recorder
from nnjax.training.saver import Saver
from nnjax.training.stopwatch import Stopwatch

STRETCH_SECONDS = 0.25
"""Updates go to the device in stretches of about this length; signals are handled between them."""

OTHER_DATA = (
    "process {process} reads other data than process 0: the checksum of its {name} is {other}, not "
    "{first}; give every host the same files"
)


class Diverged(UserError):
    """The loss became NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The trained learner and what was measured of it.

    Attributes:
      learner: the learner, with the fields that it takes from the data filled in.
      state: the best state where a metric was monitored, else the last. Where several processes
        make one run, each has the state on its own first device.
      summary: the metrics of each split, times and counts, as in ``summary.json``.

    Example:
      >>> from nnjax.data import Beach
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import SingleNeuron
      >>> from nnjax.training import Training, fit
      >>> learner = Supervised(SingleNeuron(), loss="perceptron")
      >>> fit(learner, Beach().load(), Training(steps=3, batch_size=0)).summary["status"]
      'finished'
    """

    learner: Any
    state: State
    summary: dict[str, Any]


def fit(
    learner: Any,
    data: Dataset | Stream,
    training: Training,
    *,
    run: Run | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    observe: Callable[[Any, State, int], None] | None = None,
) -> Result:
    """Trains a learner on data, and returns the trained state with its metrics.

    Where several processes make one run (see :mod:`nnjax.distributed.hosts`), every process calls
    this with the same arguments.

    Args:
      learner: any learner, such as ``Supervised``.
      data: with a "train" split, and perhaps "validation" and "test".
      training: durations, batch size, evaluation, checkpoints, devices.
      run: the run directory that receives metrics and checkpoints; None saves nothing.
      progress: the display; None shows nothing.
      resume: continue from the newest checkpoint of ``run``.
      observe: called as ``observe(learner, state, step)`` after each evaluation, for example to
        draw samples. It must not keep the state, because the next update takes its memory. Where
        several processes make one run, only rank 0 calls it, with the state on its first device.

    Raises:
      Diverged: the loss became NaN or infinite; the message names the step and the last checkpoint.
      Interrupted: a signal asked to stop; the state is saved.
      UserError: the options do not fit the data, the machine or the run to resume, or another
        process is training the run.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.training import Training, fit
      >>> data = Circles(examples=50).load()
      >>> result = fit(Supervised(MLP()), data, Training(steps=2, batch_size=8))
      >>> result.summary["steps"]
      2
    """
    check_arguments(learner, data, training, run)
    with run.locked() if run else nullcontext():
        if run and resume:
            data = collectives.together(lambda: _as_recorded(data, run))
        loop = _Loop(learner, data, training, run, progress, observe)
        try:
            loop.begin(resume)
            with requests() as request:
                while not loop.is_over():
                    loop.train()
                    loop.evaluate_and_show()
                    signal_number, save_is_due = loop.agree(request)
                    if signal_number is not None and not loop.is_over():
                        loop.stop(signal_number)
                    if save_is_due:
                        loop.save()
            return loop.finish()
        finally:
            loop.close()


class _Loop:
    """A training run in progress.

    The fields of the first block of ``__init__`` never change. ``carry`` and ``step`` advance with
    every update, ``best`` with every evaluation.
    """

    def __init__(self, learner, data, training: Training, run: Run | None, progress, observe):
        self.stopwatch = Stopwatch()
        self.data, self.training, self.run, self.observe = data, training, run, observe
        self.mesh = devices.make_mesh(training.devices)
        self.learner = fit_to_data(learner, data, training)
        monitor = best.make_monitor(training.monitor, self.learner, data)
        best.check_patience(training.patience, monitor)
        self.feed = make_feed(self.learner, data, training, self.mesh)
        self.evaluator = Evaluator(self.learner, data, self.mesh, training.evaluation_batches())
        if collectives.several():
            collectives.check_same(fingerprint.of(data), OTHER_DATA)
        examples = data.size("train")
        self.total_steps = training.steps_to_make(examples)
        self.evaluation_steps = training.evaluation_steps(examples)
        self.recorder = Recorder(run, progress, self.feed.steps_per_epoch, examples, self.stopwatch)
        self.saver = Saver(
            run, keep_last=training.keep_checkpoints, seconds=training.checkpoint_seconds
        )

        self.carry = snapshot.initial_carry(self.learner, data, training, self.mesh)
        self.best = BestState(monitor, self.carry.state)
        self.step = 0
        self.stretch = 1
        zero = jax.device_get(self.carry.totals)
        # One compiled call is faster than a transfer to the devices for each metric.
        self.zero_totals = jax.jit(lambda: zero, out_shardings=devices.replicated(self.mesh))

    # Beginning

    def begin(self, resume: bool) -> None:
        """Restores the newest checkpoint if ``resume``, and compiles the updates."""
        run = self.run
        if resume and not run:
            raise UserError("there is nothing to resume without a run; give fit the run")
        if run:
            collectives.together(lambda: _check_unused(run, resume))
            collectives.together(lambda: run.record_data(self.data))
        if resume:
            self._restore()
        self.stopwatch.compiling = self.feed.compile(self.carry)
        self.recorder.open(self.step, resume)
        if run:
            import_in_background()

    def _restore(self) -> None:
        restored = self.saver.restore(self._arrays())
        if restored is None:
            self.recorder.note("no checkpoint was saved yet; starting from the beginning")
            return
        self.step, tree, meta = restored
        assert self.run is not None
        snapshot.check_resumable(meta, self.run, self.training, self.data.size("train"))
        self.carry = tree["carry"]
        self.best.restore(meta["standing"], tree["best"])
        self.stopwatch.restore(meta)
        self.feed.seek(meta["position"])
        self.recorder.note(f"resumed at step {self.step:,}")

    def _arrays(self) -> dict[str, Any]:
        return snapshot.tree(self.carry, self.best.state)

    # One round of the loop

    def is_over(self) -> bool:
        """Whether the last update is made, or early stopping has come."""
        return self.step >= self.total_steps or self.best.is_exhausted(self.training.patience)

    def train(self) -> None:
        """Runs updates up to the next evaluation, or to the end of the stretch."""
        to_evaluation = self.evaluation_steps - self.step % self.evaluation_steps
        count = min(self.stretch, to_evaluation, self.total_steps - self.step)
        began = time.perf_counter()
        self.carry = self.feed.run(self.carry, self.step, count)
        diverged_at = int(self.carry.diverged_at)
        seconds = time.perf_counter() - began
        self.best.note_update()
        self.step += count
        self.stopwatch.steps += count
        self.stopwatch.training += seconds
        # At most ten times longer: the first updates of a process are slower than the rest.
        self.stretch = max(1, min(10 * count, int(count * STRETCH_SECONDS / seconds)))
        if diverged_at != updates.NEVER:
            self._diverge(diverged_at)

    def evaluate_and_show(self) -> None:
        """Evaluates and writes records if an evaluation is due, then updates the display."""
        train = metrics.values(self.carry.totals)
        validation = None
        if self.step % self.evaluation_steps == 0 or self.step == self.total_steps:
            self.recorder.metrics(self.step, "train", train)
            validation = self._evaluate()
            self.recorder.timing(self.step)
            self._call_observer()
            self.carry = dataclasses.replace(self.carry, totals=self.zero_totals())
        self.recorder.show(self.step, train, validation)

    def _evaluate(self) -> dict[str, float] | None:
        """Measures the validation split, else the test split, and the monitored split.

        Returns:
          The metrics of the first; None where the data has neither.
        """
        shown = "validation" if self.data.size("validation") else "test"
        monitor = self.best.monitor
        measured = {}
        if self.data.size(shown):
            measured[shown] = self.evaluator(self.carry.state, shown)
            self.recorder.metrics(self.step, shown, measured[shown])
        if monitor and monitor.split not in measured:
            measured[monitor.split] = self.evaluator(self.carry.state, monitor.split)
        self.best.observe(self.carry.state, self.step, measured)
        return measured.get(shown)

    def _call_observer(self) -> None:
        if self.observe is None:
            return
        # Collective: every process must call this, because it gathers the state.
        state = devices.local(self.carry.state)
        if collectives.is_first():
            self.observe(self.learner, state, self.step)

    def agree(self, request: Request) -> tuple[int | None, bool]:
        """Returns the signal that came, or None, and whether a save is due.

        Where several processes make one run, all follow the clock of rank 0, and a signal to any
        process counts. A signal that comes during the exchange waits for the next one, because the
        other processes do not know of it yet.
        """
        save_is_due = self.saver.is_due()
        if not collectives.several():
            return request.signal_number, save_is_due
        own = [request.signal_number or 0, self.stretch, save_is_due]
        gathered = collectives.gather_numbers(own)
        self.stretch = int(gathered[0, 1])
        return int(gathered[:, 0].max()) or None, bool(gathered[0, 2])

    # Saving and ending

    def save(self) -> None:
        """Saves a checkpoint in the background; a diverged one would displace good ones."""
        if not self.run:
            return
        if not snapshot.is_sound(self.carry.state):
            self._diverge(self.step)
        meta = {
            "standing": dataclasses.asdict(self.best.standing),
            **self.stopwatch.times(),
            "position": self.feed.position(),
            "batches": snapshot.batches(self.training, self.data.size("train")),
        }
        self.saver.save(self.step, self._arrays(), meta)

    def stop(self, signal_number: int) -> None:
        """Saves the run and raises ``Interrupted``."""
        message = f"stopped at step {self.step:,} of {self.total_steps:,}"
        if self.run:
            self.save()
            if collectives.several():
                # Signals to other processes may still be on their way here; they must not end the
                # writing.
                self.saver.wait()
            self.run.write_summary({"status": "interrupted", "step": self.step})
            message += f"; go on with: {self.run.resume_command}"
        raise Interrupted(message, signal_number)

    def _diverge(self, step: int) -> None:
        message = f"the loss became NaN or infinite at step {step:,}; "
        message += advice(self.learner, self.data)
        if self.run:
            self.saver.wait()
            self.run.write_summary({"status": "diverged", "step": step})
            last = self.saver.latest_step()
            message += (
                " (no checkpoint was saved before)"
                if last is None
                else f" (last good checkpoint: step {last:,} in {self.run.checkpoints})"
            )
        raise Diverged(message)

    def finish(self) -> Result:
        """Measures every split, saves the last checkpoint and writes the summary."""
        state = self.best.result(self.carry.state)
        summary: dict[str, Any] = {"status": "finished"}
        for split in SPLITS:
            if self.data.size(split) and (split != "train" or self.training.evaluate_train):
                summary[split] = self.best.measured.get(split) or self.evaluator(state, split)
        # A step reports the loss before its update, so a final update that diverges is detected
        # only by this evaluation.
        if not math.isfinite(summary.get("train", {}).get("loss", 0.0)):
            self._diverge(self.step)
        if self.run and self.saver.latest_step() != self.step:
            self.save()
        summary |= {
            "steps": self.step,
            "epochs": self.step / self.feed.steps_per_epoch,
            "best_step": self.best.standing.best_step,
            "parameters": parameters.count(state.params),
            **self.stopwatch.times(),
            "examples_per_second": self.recorder.examples_per_second(),
        }
        if self.run:
            run = self.run
            self.saver.wait()
            collectives.together(lambda: run.write_summary(summary))
        return Result(self.learner, devices.local(state), summary)

    def close(self) -> None:
        """Waits for what is being read and saved, and closes the files."""
        self.feed.close()
        self.recorder.close()
        self.saver.close()


def _as_recorded(data: Dataset | Stream, run: Run) -> Dataset | Stream:
    """The data, preprocessed exactly as when the run began.

    Another computer may round the statistics of the same data otherwise.

    Raises:
      UserError: the data is not what the run began with.
    """
    saved = run.read_data()
    if saved is None:
        return data
    data_json.check_same(saved, data, sizes=True)
    return conform(data, saved)


def _check_unused(run: Run, resume: bool) -> None:
    """Refuses to mix the records of two trainings in one run.

    Raises:
      UserError: the run holds a training, and this call does not resume it.
    """
    if not resume and run.read_metrics():
        raise UserError(
            f"run {run.directory} holds what was trained before; give fit another run, or "
            "resume=True to go on with it"
        )
