"""Seconds of a sweep and of as many single runs in sequence: ``python -m benchmarks.sweeps``.

Processes are timed from start to exit: start-up, compilation, training, evaluation, checkpoints. Of
the single runs only a sample is timed, and its mean is multiplied by the number of trials.
"""

import json
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
from benchmarks.peers import Name as PeerName
from benchmarks.processes import ROOT, Worker, nnjax_train
from benchmarks.table import ratio, report, save, table
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads import Name as WorkloadName

OUTPUT = machine.result_page("sweeps")


@dataclass(frozen=True)
class Options:
    """Times sweeps over seeds.

    Attributes:
      workload: the workload to train.
      trials: number of seeds.
      epochs: epochs of each trial.
      sample: number of single runs of each library that are timed.
      peers: the other libraries to time.
      output: the Markdown file.
    """

    workload: WorkloadName = "mlp_128"
    trials: int = 32
    epochs: int = 10
    sample: int = 3
    peers: tuple[PeerName, ...] = ("torch", "keras")
    output: Path = OUTPUT


@dataclass(frozen=True)
class Timing:
    """The seconds of all trials.

    Attributes:
      title: the library and how it ran.
      seconds: seconds of all trials, measured, or extrapolated from a sample.
      note: how it was measured.
    """

    title: str
    seconds: float
    note: str


def main(options: Options) -> None:
    """Times everything once and writes the page."""
    command = shlex.join(["python", "-m", "benchmarks.sweeps", *sys.argv[1:]])
    timings = [
        sweep(options, "sweep, one by one", "--members", "1"),
        sweep(options, "sweep, at once where that is faster"),
        sweep(options, "sweep, with --shared-data-order", "--shared-data-order"),
        sweep(options, "sweep, --devices all", "--devices", "all"),
        runs_of_nnjax(options),
        *(runs_of_peer(options, peer) for peer in options.peers),
    ]
    save(report("Sweeps", command, section(options, timings)), options.output)


def sweep(options: Options, title: str, *words: str) -> Timing:
    """Times a process of ``nnjax sweep`` over seeds."""
    config = WORKLOADS[options.workload].config_file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep"
        command = [sys.executable, "-m", "nnjax", "sweep", str(config), "--quiet"]
        command += ["--over", "seed", f"0..{options.trials - 1}", "--epochs", str(options.epochs)]
        command += ["--sweep-dir", str(path), *words]
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        programs = json.loads((path / "programs.json").read_text())
    members = programs["0"].get("members", 1)
    return Timing(title, seconds, f"{members} at once")


def runs_of_nnjax(options: Options) -> Timing:
    """Times processes of ``nnjax train``, one after another."""
    workload = WORKLOADS[options.workload]
    walls = [
        nnjax_train(workload, options.epochs, None)["wall_seconds"] for _ in range(options.sample)
    ]
    return _sequence("nnjax train, in sequence", walls, options)


def runs_of_peer(options: Options, peer: PeerName) -> Timing:
    """Times processes of another library that train and then evaluate once."""
    walls = []
    for _ in range(options.sample):
        began = time.perf_counter()
        with Worker(peer, WORKLOADS[options.workload], None) as worker:
            worker.train(options.epochs)
            worker.measure()
        walls.append(time.perf_counter() - began)
    return _sequence(f"{peer}, in sequence", walls, options)


def _sequence(title: str, walls: list[float], options: Options) -> Timing:
    mean = statistics.fmean(walls)
    return Timing(title, mean * options.trials, f"{len(walls)} runs of {mean:.1f} s")


def section(options: Options, timings: list[Timing]) -> list[str]:
    """The table, with ratios to the sweep without any option."""
    ours = timings[1].seconds
    rows = [
        [timing.title, f"{timing.seconds:.0f}", ratio(timing.seconds / ours), timing.note]
        for timing in timings
    ]
    what = f"{options.workload}, {options.trials} seeds, {options.epochs} epochs each"
    heads = ["", "seconds", "against the sweep", "measured"]
    return [f"## {what}", table(heads, rows)]


if __name__ == "__main__":
    main(tyro.cli(Options))
