"""Timed processes: workers that train on request, and ``nnjax train`` from start to end."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peers import Name as PeerName
from benchmarks.workloads import Workload

ROOT = Path(__file__).parent.parent


class PeerFailed(Exception):
    """A worker ended before its input did."""


class Worker:
    """A peer in its own process, which answers one command at a time; a context manager."""

    def __init__(self, peer: PeerName, workload: Workload, images: int | None):
        self.peer: PeerName = peer
        command = [sys.executable, "-m", "benchmarks.worker", peer, workload.name]
        self._process = subprocess.Popen(
            command + ([str(images)] if images else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # The first epoch includes compilation, so programs of earlier runs must not be loaded.
            env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
        )
        self.examples: int = self._answer()["examples"]

    def train(self, epochs: int) -> float:
        """Trains and returns the seconds that it took."""
        return self._ask(f"epochs {epochs}")["seconds"]

    def measure(self) -> dict[str, float]:
        """Returns the loss and accuracy on the test split."""
        return self._ask("measure")

    def cpu_seconds(self) -> float | None:
        """Returns the processor time used so far; None if the system has no ``/proc``."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            print(command, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise PeerFailed(self.peer) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(self.peer)
        return json.loads(line)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def nnjax_train(workload: Workload, epochs: int, images: int | None) -> dict[str, Any]:
    """Runs ``nnjax train`` on a workload and returns its summary and the ``wall_seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "nnjax", "train", str(workload.config_file)]
        command += ["--epochs", str(epochs), "--run-dir", str(run), "--quiet"]
        command += ["--data.train", str(images)] if images else []
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - began
        return {**json.loads((run / "summary.json").read_text()), "wall_seconds": wall}
