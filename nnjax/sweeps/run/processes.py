"""Worker processes: one for each device; a new process replaces one that dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nnjax.errors import UserError
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.record.worker_locks import host
from nnjax.training.interruption import Interrupted, requests

PARENT = "NNJAX_SWEEP_PARENT"
"""Environment variable of a worker: the id of its parent; without the parent it stops.

The parent also returns the trials of its workers that die to the queue.
"""

WORKERS = "NNJAX_SWEEP_WORKERS"
"""Environment variable of a worker: the number of workers, which share the waiting trials."""

SECONDS_BETWEEN_LOOKS = 0.5

SECONDS_TO_SAVE = 60.0
"""Time that workers have to save their trials when the sweep is stopped."""

MOST_DEATHS_IDLE = 3
"""The sweep ends after so many consecutive deaths of workers that had claimed no trial."""


def has_parent() -> bool:
    """Whether a parent started this worker, as opposed to somebody who joined the sweep."""
    return bool(os.environ.get(PARENT))


def leave_with_parent() -> None:
    """Sends SIGTERM to this process where its parent has ended."""
    parent = os.environ.get(PARENT)
    if parent and os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGTERM)


def count() -> int:
    """The number of workers that share the trials, this process included."""
    return int(os.environ.get(WORKERS, "1"))


class Workers:
    """Worker processes of a sweep on this machine."""

    def __init__(
        self,
        directory: SweepDirectory,
        study: Study,
        environments: Sequence[Mapping[str, str]],
        on_change: Callable[[], None],
    ):
        """Prepares the workers.

        Args:
          directory: of the sweep.
          study: its record.
          environments: the environment variables of each worker, which choose its device.
          on_change: called often while trials train.
        """
        self._directory, self._study, self._on_change = directory, study, on_change
        self._environments = environments
        self._running: dict[int, subprocess.Popen] = {}
        self._idle_deaths = 0

    def work(self) -> None:
        """Runs workers until every trial has ended.

        Raises:
          Interrupted: SIGTERM or SIGINT came; the workers have saved their trials.
          UserError: workers die before they train anything.
        """
        with requests() as request:
            try:
                while self._step():
                    if request.signal_number is not None:
                        hint = f"stopped; {self._directory.how_to_go_on}"
                        raise Interrupted(hint, request.signal_number)
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            finally:
                self._stop()

    def _step(self) -> bool:
        """Replaces workers that died; returns whether any worker runs."""
        for seat, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[seat]
                if process.returncode != 0:
                    self._bury(seat, process)
        waiting = len(self._study.waiting())
        free = [seat for seat in range(len(self._environments)) if seat not in self._running]
        for seat in free[: max(0, waiting)]:
            self._running[seat] = self._start(seat)
        self._on_change()
        return bool(self._running)

    def _start(self, seat: int) -> subprocess.Popen:
        shared = {PARENT: str(os.getpid()), WORKERS: str(len(self._environments))}
        own = {**shared, **self._environments[seat]}
        with open(self._log(seat), "ab") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "nnjax",
                    "sweep",
                    "--join",
                    str(self._directory.directory),
                    "--trust",
                ],
                env={**environment(self._environments[seat]), **own},
                stdout=log,
                stderr=log,
                # Only this process sends signals to the workers, so that each saves once.
                start_new_session=True,
            )

    def _bury(self, seat: int, process: subprocess.Popen) -> None:
        """Returns the trials of a dead worker to the queue."""
        name = f"{host()}-{process.pid}-"
        owners = [owner for owner in self._study.owners() if owner.startswith(name)]
        for owner in owners:
            self._study.release(owner, died=True)
        self._idle_deaths = 0 if owners else self._idle_deaths + 1
        if self._idle_deaths >= MOST_DEATHS_IDLE:
            lines = self._log(seat).read_text(errors="replace").strip().splitlines()
            last = lines[-1] if lines else f"exit status {process.returncode}"
            raise UserError(f"workers end before they train anything: {last}")

    def _stop(self) -> None:
        """Stops the workers that still run; kills those that do not save in time."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + SECONDS_TO_SAVE
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _log(self, seat: int) -> Path:
        return self._directory.directory / "workers" / f"{seat}.log"


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process, without its restriction to the CPU for workers on a GPU."""
    hidden = ("JAX_PLATFORMS",) if own.get("CUDA_VISIBLE_DEVICES") else ()
    return {name: value for name, value in os.environ.items() if name not in hidden}
