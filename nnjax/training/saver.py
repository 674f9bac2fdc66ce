"""Checkpoints of a run while it is trained: when one is due, what it holds, how it is read back."""

import time
from typing import Any

from nnjax.distributed import collectives
from nnjax.errors import UserError, warn
from nnjax.runs.checkpoints import Checkpoints
from nnjax.runs.run import Run
from nnjax.training import snapshot


class Saver:
    """Saves and restores the checkpoints of a run; without a run it does neither.

    Where several processes make one run, every process must call each method.

    Args:
      run: the run directory, or None.
      keep_last: number of checkpoints to keep.
      seconds: time between two checkpoints.
    """

    def __init__(self, run: Run | None, *, keep_last: int, seconds: float):
        self._run = run
        self._checkpoints = run and Checkpoints(run.checkpoints, keep_last=keep_last)
        self._seconds = seconds
        self._saved_at = time.perf_counter()

    def is_due(self) -> bool:
        """Whether the last checkpoint is old enough for the next."""
        return time.perf_counter() - self._saved_at >= self._seconds

    def save(self, step: int, arrays: Any, meta: dict[str, Any]) -> None:
        """Saves a checkpoint in the background, once the one before is written."""
        checkpoints = self._checkpoints
        if checkpoints is None:
            return
        collectives.together(checkpoints.wait)
        collectives.together(lambda: checkpoints.save(step, arrays, meta))
        self._saved_at = time.perf_counter()

    def wait(self) -> None:
        """Waits until the last checkpoint is written."""
        if self._checkpoints:
            collectives.together(self._checkpoints.wait)

    def latest_step(self) -> int | None:
        """The step of the newest checkpoint that rank 0 sees; None where there is none."""
        return self._checkpoints and collectives.by_first(self._checkpoints.latest_step)

    def restore(self, arrays: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole; None where none was saved.

        Args:
          arrays: a tree of the shapes, dtypes and shardings to restore.

        Returns:
          The step, the arrays and what else was saved.

        Raises:
          UserError: every checkpoint is damaged, or their folder is gone.
        """
        run, checkpoints = self._run, self._checkpoints
        assert run is not None
        assert checkpoints is not None
        wanted = snapshot.abstract(arrays)
        found = None

        def find() -> int | None:
            nonlocal found
            found = checkpoints.restore(wanted, on_fallback=warn)
            if found is None:
                _check_never_saved(run)
            return found and found[0]

        # Rank 0 decides which checkpoint is whole; the others read the same one.
        step = collectives.by_first(find)
        if collectives.is_first() or step is None:
            collectives.together(lambda: None)
            return found
        return collectives.together(lambda: checkpoints.restore(wanted, step))

    def close(self) -> None:
        """Waits for the last checkpoint and ends the threads that write."""
        if self._checkpoints:
            self._checkpoints.close()


def _check_never_saved(run: Run) -> None:
    """Accepts a run killed before its first checkpoint: it trains anew to the same metrics.

    Raises:
      UserError: the folder of the checkpoints, which every run begins with, is gone.
    """
    if run.read_metrics() and not run.checkpoints.is_dir():
        raise UserError(
            f"the checkpoints of run {run.directory} are gone, there is no {run.checkpoints}; put "
            "them back, or make that folder anew to train from the beginning"
        )
