"""Seconds from ``nnjax train`` to the first finished update: ``python -m benchmarks.startup``."""

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks import machine
from benchmarks.processes import ROOT
from benchmarks.table import report, save, table

LIMIT = 300.0
"""Seconds after which a process without an update counts as failed."""
OUTPUT = machine.result_page("startup")


@dataclass(frozen=True)
class Options:
    """Times the start of ``nnjax train`` with an empty and with a full compilation cache.

    Attributes:
      configs: names or paths, as ``nnjax train`` takes them.
      rounds: processes of each kind, of which the table has the median.
      threads: processors to use; 0 is all.
      output: the Markdown file.
    """

    configs: tuple[str, ...] = ("cnn2", "mnist_tanh_sgd")
    rounds: int = 5
    threads: int = 0
    output: Path = OUTPUT


def main(options: Options) -> None:
    """Times every config and writes the page."""
    machine.use_threads(options.threads)
    rows = [row("`nnjax --help`", [help_seconds() for _ in range(options.rounds)])]
    for config in options.configs:
        cold, warm = measure(config, options.rounds)
        rows.append(row(f"`nnjax train {config}`, empty compilation cache", cold))
        rows.append(row(f"`nnjax train {config}`, full compilation cache", warm))
    words = (
        "From the start of the process to the first update's metrics on disk (to its end, for "
        "`--help`). The operating system has the files in memory in either case."
    )
    command = shlex.join(["python", "-m", "benchmarks.startup", *sys.argv[1:]])
    heads = ["process", "s, median", "min", "max"]
    save(report("Time to the first update", command, [words, table(heads, rows)]), options.output)


def row(title: str, seconds: list[float]) -> list[str]:
    """Returns a row of the table."""
    numbers = (statistics.median(seconds), min(seconds), max(seconds))
    return [title, *(f"{number:.2f}" for number in numbers)]


def help_seconds() -> float:
    """Returns the seconds of ``nnjax --help``."""
    command = [sys.executable, "-m", "nnjax", "--help"]
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(config: str, rounds: int) -> tuple[list[float], list[float]]:
    """Returns the seconds to the first update with an empty cache and with a full one."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as full:
        # Not counted: fills the compilation cache and the operating system's file cache.
        first_update_seconds(config, full)
        for index in range(rounds):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(first_update_seconds(config, empty))
            warm.append(first_update_seconds(config, full))
            print(f"{config}: round {index + 1} of {rounds}", file=sys.stderr, flush=True)
    return cold, warm


def first_update_seconds(config: str, cache: str) -> float:
    """Returns the seconds from the start of the process until the metrics of an update are written.

    Raises:
      RuntimeError: the process ended, or the limit passed, without an update.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "nnjax", "train", config]
        command += ["--steps", "1", "--run-dir", str(run), "--quiet"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": cache},
        )
        try:
            return wait_for(run / "metrics.jsonl", process, began)
        finally:
            process.kill()
            process.wait()


def wait_for(file: Path, process: subprocess.Popen, began: float) -> float:
    """Returns the seconds from ``began`` until the file is not empty."""
    while (seconds := time.perf_counter() - began) < LIMIT:
        if file.exists() and file.stat().st_size:
            return seconds
        if process.poll() is not None:
            raise RuntimeError(f"the process ended with status {process.returncode}; see above")
        time.sleep(0.005)
    raise RuntimeError(f"no update within {LIMIT:.0f} seconds")


if __name__ == "__main__":
    main(tyro.cli(Options, description=Options.__doc__))
