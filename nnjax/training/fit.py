"""The loop: updates, evaluations, checkpoints, from the first step or from where a run stopped."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nnjax import metrics, parameters
from nnjax.data.dataset import SPLITS, Dataset, Stream
from nnjax.distributed import collectives, devices
from nnjax.errors import UserError, warn
from nnjax.learners.state import State
from nnjax.runs.checkpoints import Checkpoints, import_in_background
from nnjax.runs.run import Run
from nnjax.training import best, fingerprint, snapshot, updates
from nnjax.training.divergence_advice import remedy
from nnjax.training.evaluation import Evaluator
from nnjax.training.experiment import fit_to_data
from nnjax.training.feeds import make_feed
from nnjax.training.interruption import Interrupted, Request, requests
from nnjax.training.options import Training
from nnjax.training.progress import Progress
from nnjax.training.tensorboard import TensorBoard

STRETCH_SECONDS = 0.25
"""Updates go to the device in stretches of about this long; signals are heeded between them."""

TIMES = ("seconds", "training_seconds", "compile_seconds")
"""What a summary and a checkpoint tell of a run's length."""


OTHER_DATA = (
    "process {process} reads other data than process 0: the checksum of its {name} is {other}, not "
    "{first}; give every host the same files"
)


class Diverged(UserError):
    """The loss became NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What training gave.

    Attributes:
      learner: the learner, with what it took from the data filled in.
      state: the best state where a metric was monitored, else the last; of several processes each
        has it on its own first device.
      summary: the metrics of each split, times and counts, as in ``summary.json``.
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
    """Trains a learner on data.

    Where several processes make one run (see :mod:`nnjax.distributed.hosts`), all call this alike.

    Args:
      learner: any learner, such as ``Supervised``.
      data: with a "train" split, and perhaps "validation" and "test".
      training: durations, batch size, evaluation, checkpoints, devices.
      run: the run directory that receives metrics and checkpoints; None keeps nothing.
      progress: the display; None shows nothing.
      resume: go on from the newest checkpoint of ``run``.
      observe: called as ``observe(learner, state, step)`` after each evaluation, to draw samples,
        say; the state must not be kept, for the next update takes its memory. Of several processes
        the first one calls it, with the state on its own first device.

    Raises:
      Diverged: the loss became NaN or infinite; the message names the step and the last checkpoint.
      Interrupted: SIGTERM or SIGINT came; the state is saved.
      UserError: the options do not fit the data or the machine.
    """
    loop = _Loop(learner, data, training, run, progress, observe)
    try:
        loop.begin(resume)
        with requests() as request:
            while not loop.is_over():
                loop.advance()
                loop.record()
                loop.heed(loop.agree(request))
                loop.save_if_due()
        return loop.finish()
    finally:
        loop.close()


class _Loop:
    """A training run in progress."""

    def __init__(self, learner, data, training: Training, run: Run | None, progress, observe):
        self.began = time.perf_counter()
        self.observe = observe
        self.data, self.training, self.run = data, training, run
        self.progress = progress if collectives.is_first() else None
        self.mesh = devices.make_mesh(training.devices)
        self.learner = fit_to_data(learner, data, training)
        self.monitor = best.make_monitor(training.monitor, self.learner, data)
        best.check_patience(training.patience, self.monitor)
        self.feed = make_feed(self.learner, data, training, self.mesh)
        self.evaluator = Evaluator(self.learner, data, self.mesh, training.evaluation_batches())
        if collectives.several():
            collectives.check_same(fingerprint.of(data), OTHER_DATA)
        self.examples = data.size("train")
        self.total_steps = training.steps_to_make(self.examples)
        self.checkpoints = run and Checkpoints(run.checkpoints, keep_last=training.keep_checkpoints)
        self.carry = snapshot.initial_carry(self.learner, data, training, self.mesh)
        nothing = jax.device_get(self.carry.totals)
        # Compiled: to put them there one by one takes longer than all else that an epoch ends with.
        self.no_totals = jax.jit(lambda: nothing, out_shardings=devices.replicated(self.mesh))
        self.best_state = self._copy(self.carry.state) if self.monitor else None
        self.tensorboard: TensorBoard | None = None
        self.standing = best.Standing()
        # Metrics by split, of the state that would be the result if training ended here.
        self.measured: dict[str, dict[str, float]] = {}
        self.step = 0
        self.stretch = 1
        self.steps_trained = 0
        self.training_seconds = 0.0
        self.compile_seconds = 0.0
        # Of the processes before this one, up to the checkpoint that it goes on from.
        self.earlier = dict.fromkeys(TIMES, 0.0)
        self.saved_at = time.perf_counter()
        self.save_is_due = False

    # Beginning

    def _copy(self, state: State) -> State:
        """A copy that outlives the donation of ``state`` to the next update."""
        return jax.tree.map(jnp.copy, state)

    def begin(self, resume: bool) -> None:
        """Restores the newest checkpoint, where there is one to resume from, and compiles."""
        run = self.run
        if resume and not run:
            raise UserError("there is nothing to resume without a run; give fit the run")
        if run:
            collectives.together(lambda: _check_unused(run, resume))
            collectives.together(lambda: run.record_data(self.data))
        if resume:
            self._restore()
        self.compile_seconds = self.feed.compile(self.carry)
        if run:
            self._go_on_record(run, resume)
            import_in_background()

    def _go_on_record(self, run: Run, resume: bool) -> None:
        """Begins to write; only now, as a run that is refused must keep its records as they are."""
        # Nothing is saved yet: without a checkpoint a run resumes from its seed.
        if resume:
            run.truncate_metrics(self.step)
        run.write_summary({"status": "running"})
        if run.keeps:
            self.tensorboard = TensorBoard(run.tensorboard, after_step=self.step)

    def _restore(self) -> None:
        restored = self._read_checkpoint()
        if restored is None:
            self._note("no checkpoint was saved yet; starting from the beginning")
            return
        self.step, tree, meta = restored
        self.carry = tree["carry"]
        self.best_state = tree["best"] if self.monitor else None
        self.standing = best.Standing(**meta["standing"])
        self.earlier = {name: meta.get(name, 0.0) for name in TIMES}
        self.feed.seek(meta["position"])
        self._note(f"resumed at step {self.step:,}")

    def _read_checkpoint(self) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole; of several processes the first finds which it is."""
        run, checkpoints = self.run, self.checkpoints
        wanted = snapshot.abstract(self._arrays())
        assert run is not None
        assert checkpoints is not None
        found = None

        def find() -> int | None:
            nonlocal found
            found = checkpoints.restore(wanted, on_fallback=warn)
            if found is None:
                _check_never_saved(run)
            return found and found[0]

        step = collectives.by_first(find)
        if collectives.is_first() or step is None:
            collectives.together(lambda: None)
            return found
        return collectives.together(lambda: checkpoints.restore(wanted, step))

    def _arrays(self) -> dict[str, Any]:
        return snapshot.tree(self.carry, self.best_state)

    # Going on

    def is_over(self) -> bool:
        """Whether the last update is made, or early stopping has come."""
        patience = self.training.patience
        exhausted = patience is not None and self.standing.since >= patience
        return self.step >= self.total_steps or exhausted

    def advance(self) -> None:
        """Runs updates up to the next evaluation, or to the end of the stretch."""
        every = self.training.evaluation_steps(self.examples)
        ends = (every - self.step % every, self.total_steps - self.step)
        count = min(self.stretch, *ends)
        began = time.perf_counter()
        self.carry = self.feed.run(self.carry, self.step, count)
        if self.standing.best_step is None:
            self.measured = {}
        diverged_at = int(self.carry.diverged_at)
        seconds = time.perf_counter() - began
        self.step += count
        self.steps_trained += count
        self.training_seconds += seconds
        # Ten times at most: the first updates of a process are slower than the rest.
        self.stretch = max(1, min(10 * count, int(count * STRETCH_SECONDS / seconds)))
        if diverged_at != updates.NEVER:
            self._diverge(diverged_at)

    def _diverge(self, step: int) -> None:
        message = f"the loss became NaN or infinite at step {step:,}; "
        message += remedy(self.learner, self.data)
        if self.run and self.checkpoints:
            collectives.together(self.checkpoints.wait)
            self.run.write_summary({"status": "diverged", "step": step})
            last = self.checkpoints.latest_step()
            message += (
                " (no checkpoint was saved before)"
                if last is None
                else f" (last good checkpoint: step {last:,} in {self.run.checkpoints})"
            )
        raise Diverged(message)

    def record(self) -> None:
        """Evaluates where an evaluation is due, and shows how it goes."""
        every = self.training.evaluation_steps(self.examples)
        train = metrics.values(self.carry.totals)
        validation = None
        if self.step % every == 0 or self.step == self.total_steps:
            self._write("train", train)
            validation = self._evaluate()
            self._write_timing()
            self._observe()
            self.carry = dataclasses.replace(self.carry, totals=self.no_totals())
        if self.progress:
            self.progress.update(
                step=self.step,
                train=train,
                validation=validation,
                examples_per_second=self._examples_per_second(),
            )

    def _observe(self) -> None:
        if self.observe is None:
            return
        # Of several processes all take part in bringing the state to each.
        state = devices.local(self.carry.state)
        if collectives.is_first():
            self.observe(self.learner, state, self.step)

    def _evaluate(self) -> dict[str, float] | None:
        """Measures the validation (else the test) split, and the monitored one."""
        split = "validation" if self.data.size("validation") else "test"
        measured = {}
        if self.data.size(split):
            measured[split] = self.evaluator(self.carry.state, split)
            self._write(split, measured[split])
        if self.monitor is None:
            self.measured = measured
            return measured.get(split)
        deciding = self.monitor.split
        if deciding not in measured:
            measured[deciding] = self.evaluator(self.carry.state, deciding)
        value = measured[deciding][self.monitor.metric]
        if self.standing.observe(self.monitor, value, self.step):
            self.best_state = self._copy(self.carry.state)
            self.measured = measured
        return measured.get(split)

    def _write(self, split: str, measured: dict[str, float]) -> None:
        if self.run:
            epoch = round(self.step / self.feed.steps_per_epoch, 6)
            record = {"step": self.step, "epoch": epoch, "split": split, **measured}
            self.run.append_metrics(record)
            if self.tensorboard:
                self.tensorboard.write(record)

    def _write_timing(self) -> None:
        if self.run:
            seconds, speed = self._times()["seconds"], self._examples_per_second()
            record = {"step": self.step, "seconds": seconds, "examples_per_second": speed}
            self.run.append_timings(record)

    def agree(self, request: Request) -> int | None:
        """Says whether a save is due; of several processes, all follow the first one's clock.

        Returns:
          The signal that came, to any of them. One that comes while they agree waits for the next
          time, as the others do not know of it yet.
        """
        self.save_is_due = time.perf_counter() - self.saved_at >= self.training.checkpoint_seconds
        if not collectives.several():
            return request.signal_number
        mine = [request.signal_number or 0, self.stretch, self.save_is_due]
        said = collectives.gather_numbers(mine)
        self.stretch, self.save_is_due = int(said[0, 1]), bool(said[0, 2])
        return int(said[:, 0].max()) or None

    def heed(self, signal_number: int | None) -> None:
        """Saves and leaves where a signal asks for it."""
        if signal_number is None or self.is_over():
            return
        message = f"stopped at step {self.step:,} of {self.total_steps:,}"
        if self.run and self.checkpoints:
            self.save()
            if collectives.several():
                # Others' signals may still be on their way here, and must not end the writing.
                collectives.together(self.checkpoints.wait)
            self.run.write_summary({"status": "interrupted", "step": self.step})
            message += f"; go on with: nnjax resume {self.run.directory}"
        raise Interrupted(message, signal_number)

    def save_if_due(self) -> None:
        """Saves a checkpoint where the last is old enough."""
        if self.save_is_due:
            self.save()

    def save(self) -> None:
        """Saves a checkpoint, in the background; one that has diverged would displace good ones."""
        checkpoints = self.checkpoints
        if not checkpoints:
            return
        if not snapshot.is_sound(self.carry.state):
            self._diverge(self.step)
        meta = {
            "standing": dataclasses.asdict(self.standing),
            **self._times(),
            "position": self.feed.position(),
        }
        collectives.together(checkpoints.wait)
        collectives.together(lambda: checkpoints.save(self.step, self._arrays(), meta))
        self.saved_at = time.perf_counter()

    # Ending

    def finish(self) -> Result:
        """Measures every split, saves the last checkpoint and writes the summary."""
        # Where the metric was never a number there is no best, only what training began with.
        best_state = None if self.standing.best_step is None else self.best_state
        state = self.carry.state if best_state is None else best_state
        summary: dict[str, Any] = {"status": "finished"}
        for split in SPLITS:
            if self.data.size(split) and (split != "train" or self.training.evaluate_train):
                summary[split] = self.measured.get(split) or self.evaluator(state, split)
        # The last update's own loss is that before it, so what it did shows only here.
        if not math.isfinite(summary.get("train", {}).get("loss", 0.0)):
            self._diverge(self.step)
        if self.checkpoints and collectives.by_first(self.checkpoints.latest_step) != self.step:
            self.save()
        summary |= self._counts(state)
        if self.run and self.checkpoints:
            run, checkpoints = self.run, self.checkpoints
            collectives.together(checkpoints.wait)
            collectives.together(lambda: run.write_summary(summary))
        return Result(self.learner, devices.local(state), summary)

    def _counts(self, state: State) -> dict[str, Any]:
        return {
            "steps": self.step,
            "epochs": self.step / self.feed.steps_per_epoch,
            "best_step": self.standing.best_step,
            "parameters": parameters.count(state.params),
            **self._times(),
            "examples_per_second": self._examples_per_second(),
        }

    def close(self) -> None:
        """Waits for what is being read and saved, and closes the files."""
        self.feed.close()
        if self.run:
            self.run.close()
        if self.tensorboard:
            self.tensorboard.close()
        if self.checkpoints:
            self.checkpoints.close()

    def _times(self) -> dict[str, float]:
        """Seconds in all, of training and of compiling, of every process of the run together."""
        own = (time.perf_counter() - self.began, self.training_seconds, self.compile_seconds)
        return {name: self.earlier[name] + now for name, now in zip(TIMES, own, strict=True)}

    def _examples_per_second(self) -> float:
        seen = self.steps_trained / self.feed.steps_per_epoch * self.examples
        return seen / self.training_seconds if self.training_seconds else 0.0

    def _note(self, message: str) -> None:
        if self.progress:
            self.progress.note(message)


def _check_unused(run: Run, resume: bool) -> None:
    """Refuses to mix the records of two trainings, of which one's checkpoints would be kept.

    Raises:
      UserError: something was trained there, and it is not gone on with.
    """
    if not resume and run.read_metrics():
        raise UserError(
            f"run {run.directory} holds what was trained before; give fit another run, or "
            "resume=True to go on with it"
        )


def _check_never_saved(run: Run) -> None:
    """Tells a run killed before its first checkpoint, which trains anew to the same metrics.

    Raises:
      UserError: there is not even the folder of its checkpoints, which every run begins with.
    """
    if run.read_metrics() and not run.checkpoints.is_dir():
        raise UserError(
            f"the checkpoints of run {run.directory} are gone, there is no {run.checkpoints}; put "
            "them back, or make that folder anew to train from the beginning"
        )
