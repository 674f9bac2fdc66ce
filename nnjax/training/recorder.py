"""The records of a run while it is trained: metrics, timings, TensorBoard, the display."""

from nnjax.distributed import collectives
from nnjax.runs.run import Run
from nnjax.training.progress import Progress
from nnjax.training.stopwatch import Stopwatch
from nnjax.training.tensorboard import TensorBoard


class Recorder:
    """Writes the metrics of a run to its files, to TensorBoard and to the display.

    Args:
      run: the run directory; None writes no files.
      progress: the display; None shows nothing. Of several processes only rank 0 shows it.
      steps_per_epoch: updates in one pass over the training data.
      examples: number of training examples.
      stopwatch: the times of the run.
    """

    def __init__(
        self,
        run: Run | None,
        progress: Progress | None,
        steps_per_epoch: int,
        examples: int,
        stopwatch: Stopwatch,
    ):
        self._run = run
        self._progress = progress if collectives.is_first() else None
        self._steps_per_epoch = steps_per_epoch
        self._examples_per_step = examples / steps_per_epoch
        self._stopwatch = stopwatch
        self._tensorboard: TensorBoard | None = None

    def open(self, step: int, resume: bool) -> None:
        """Begins to write, after ``step`` updates.

        Called once nothing can refuse the training any more: a run that is refused must keep its
        records as they are.
        """
        if self._run is None:
            return
        # Records newer than the checkpoint are written again.
        if resume:
            self._run.truncate_metrics(step)
        self._run.write_summary({"status": "running"})
        if self._run.keeps:
            self._tensorboard = TensorBoard(self._run.tensorboard, after_step=step)

    def metrics(self, step: int, split: str, measured: dict[str, float]) -> None:
        """Writes the metrics of a split."""
        if self._run is None:
            return
        epoch = round(step / self._steps_per_epoch, 6)
        record = {"step": step, "epoch": epoch, "split": split, **measured}
        self._run.append_metrics(record)
        if self._tensorboard:
            self._tensorboard.write(record)

    def timing(self, step: int) -> None:
        """Writes how long training has taken up to now."""
        if self._run:
            seconds, speed = self._stopwatch.times()["seconds"], self.examples_per_second()
            self._run.append_timings(
                {"step": step, "seconds": seconds, "examples_per_second": speed}
            )

    def show(self, step: int, train: dict[str, float], validation: dict[str, float] | None) -> None:
        """Updates the display."""
        if self._progress:
            self._progress.update(
                step=step,
                train=train,
                validation=validation,
                examples_per_second=self.examples_per_second(),
            )

    def note(self, message: str) -> None:
        """Shows a message."""
        if self._progress:
            self._progress.note(message)

    def examples_per_second(self) -> float:
        """Training examples per second of training in this process; 0 before the first update."""
        return self._stopwatch.steps_per_second() * self._examples_per_step

    def close(self) -> None:
        """Closes the files."""
        if self._run:
            self._run.close()
        if self._tensorboard:
            self._tensorboard.close()
