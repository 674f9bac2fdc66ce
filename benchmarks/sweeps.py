"""Seconds of a sweep against as many runs in sequence: ``python -m benchmarks.sweeps``.

End to end, processes from start to exit: start-up, compilation, training, evaluation, checkpoints.
Of the runs in sequence some are timed, and their mean is multiplied by the number of trials.
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

from benchmarks.peers import Name as PeerName
from benchmarks.processes import ROOT, Worker, nnjax_train
from benchmarks.table import ratio, report, save, table
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads import Name as WorkloadName

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """Times sweeps over seeds.

    Attributes:
      workload: what is trained.
      trials: how many seeds.
      epochs: of each trial.
      sample: runs in sequence that are timed, of each library.
      peers: whose runs in sequence.
      output: the Markdown file.
    """

    workload: WorkloadName = "mlp_128"
    trials: int = 32
    epochs: int = 10
    sample: int = 3
    peers: tuple[PeerName, ...] = ("torch", "keras")
    output: Path = RESULTS / "sweeps.md"


@dataclass(frozen=True)
class Timing:
    """The seconds of all trials.

    Attributes:
      title: who trained, and how.
      seconds: of all trials, measured or, from a sample, calculated.
      note: how it was measured.
    """

    title: str
    seconds: float
    note: str


def main(options: Options) -> None:
    """Times everything once and writes the report."""
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
    """A process of ``nnjax sweep`` over seeds."""
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
    """Processes of ``nnjax train``, one after another."""
    workload = WORKLOADS[options.workload]
    walls = [
        nnjax_train(workload, options.epochs, None)["wall_seconds"] for _ in range(options.sample)
    ]
    return _sequence("nnjax train, in sequence", walls, options)


def runs_of_peer(options: Options, peer: PeerName) -> Timing:
    """Processes of another library that train and measure once at the end."""
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
    """The table, against the sweep that every user gets without an option."""
    ours = timings[1].seconds
    rows = [
        [one.title, f"{one.seconds:.0f}", ratio(one.seconds / ours), one.note] for one in timings
    ]
    what = f"{options.workload}, {options.trials} seeds, {options.epochs} epochs each"
    heads = ["", "seconds", "against the sweep", "measured"]
    return [f"## {what}", table(heads, rows)]


if __name__ == "__main__":
    main(tyro.cli(Options))
