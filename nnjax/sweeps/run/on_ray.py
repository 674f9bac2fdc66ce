"""Workers as tasks of a Ray cluster: Ray chooses the machine of each."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from nnjax.errors import UserError
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.run import processes
from nnjax.training.interruption import Interrupted, requests

SECONDS_BETWEEN_LOOKS = 1.0

MOST_FAILURES = 3
"""The sweep ends after so many consecutive failures of tasks that had claimed no trial."""


class RayWorkers:
    """The worker tasks of a sweep; each uses a GPU where the cluster has GPUs, otherwise a core."""

    def __init__(
        self,
        directory: SweepDirectory,
        study: Study,
        workers: str,
        address: str | None,
        on_change: Callable[[], None],
    ):
        """Connects to a cluster.

        Args:
          directory: of the sweep, on a file system that all machines of the cluster share.
          study: its record.
          workers: how many tasks, or "all" for as many as there are GPUs, or cores.
          address: of the cluster; None starts one on this machine for the duration of the sweep.
          on_change: called often while trials train.

        Raises:
          UserError: Ray is not installed, or the cluster cannot be reached.
        """
        self._directory, self._study, self._on_change = directory, study, on_change
        self._ray = _connect(address)
        resources = self._ray.cluster_resources()
        self._kind = "num_gpus" if resources.get("GPU") else "num_cpus"
        there = int(resources.get("GPU") or resources.get("CPU", 1))
        self._count = there if workers == "all" else int(workers)

    def work(self) -> None:
        """Runs tasks until no trial is waiting.

        Raises:
          Interrupted: SIGTERM or SIGINT came; the workers were asked to save.
          UserError: tasks fail before they train anything.
        """
        task = self._ray.remote(max_retries=0, **{self._kind: 1})(_join)
        path = str(self._directory.directory.absolute())
        running: list[Any] = []
        failures = 0
        with requests() as request:
            while running or self._study.waiting():
                missing = min(self._count - len(running), len(self._study.waiting()))
                running += [task.remote(path) for _ in range(missing)]
                ended, running = self._ray.wait(running, timeout=SECONDS_BETWEEN_LOOKS)
                failures = self._look_at(ended, failures)
                self._on_change()
                if request.signal_number is not None:
                    for one in running:
                        self._ray.cancel(one)
                    self._ray.wait(
                        running, num_returns=len(running), timeout=processes.SECONDS_TO_SAVE
                    )
                    hint = f"stopped; {self._directory.how_to_go_on}"
                    raise Interrupted(hint, request.signal_number)

    def _look_at(self, ended: list[Any], failures: int) -> int:
        """Returns the trials of dead tasks to the queue; returns the consecutive failures."""
        for one in ended:
            try:
                status, said = self._ray.get(one)
            except self._ray.exceptions.RayError as error:
                status, said = 1, str(error).splitlines()[0]
            dead = [
                name for name in self._study.owners() if not self._directory.locks.is_alive(name)
            ]
            for owner in dead:
                self._study.release(owner, died=status != 0)
            failures = 0 if status == 0 or dead else failures + 1
            if failures == MOST_FAILURES:
                raise UserError(f"workers end before they train anything: {said}")
        return failures


def _connect(address: str | None) -> Any:
    # Ray sends usage statistics to its makers unless told otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("--engine ray needs Ray: pip install 'nnjax[ray]'") from None
    try:
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"the Ray cluster '{address}' cannot be reached: {error}") from error
    return ray


def _join(directory: str) -> tuple[int, str]:
    """Runs a worker in a new process; returns the exit status and the last line of its output."""
    # This process has checked whether the code of the sweep may run.
    words = [sys.executable, "-m", "nnjax", "sweep", "--join", directory, "--trust"]
    own = {**processes.environment(os.environ), processes.PARENT: str(os.getpid())}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=own) as process:
        try:
            printed, errors = process.communicate()
        except BaseException:
            # The task was cancelled: the worker saves what it trains.
            process.terminate()
            raise
    lines = (errors or printed).strip().splitlines()
    return process.returncode, lines[-1] if lines else f"exit status {process.returncode}"
