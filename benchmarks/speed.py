"""Seconds an epoch of nnjax and its peers take: ``python -m benchmarks.speed``."""

import dataclasses
import json
import shlex
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks import machine
from benchmarks.coordinator import Comparison, compare
from benchmarks.peers import MODULES, TITLES
from benchmarks.peers import Name as PeerName
from benchmarks.table import percent, ratio, report, save, table
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads import Name as WorkloadName

QUIET = 0.1
"""Largest share of the machine that other processes may use; spinning threads suffer first."""
OUTPUT = machine.result_page("speed")


@dataclass(frozen=True)
class Options:
    """Times nnjax and its peers in turn.

    Attributes:
      workloads: the workloads to train.
      peers: the libraries to time; ratios are relative to "torch".
      rounds: turns of each peer, of which the table has the median.
      epochs: epochs of a turn.
      train_runs: processes of "nnjax train" for each workload, timed from start to end.
      threads: processors that every peer may use; 0 is all.
      images: train on this number of images only, to try the benchmark; None is all.
      output: the Markdown file, beside which the times are written as JSON.
    """

    workloads: tuple[WorkloadName, ...] = tuple(WORKLOADS)
    peers: tuple[PeerName, ...] = tuple(MODULES)
    rounds: int = 9
    epochs: int = 1
    train_runs: int = 3
    threads: int = 0
    images: int | None = None
    output: Path = OUTPUT


def main(options: Options) -> None:
    """Times every workload and writes the page after each, so that an interruption loses little."""
    machine.use_threads(options.threads)
    command = shlex.join(["python", "-m", "benchmarks.speed", *sys.argv[1:]])
    done: list[Comparison] = []
    for name in options.workloads:
        done.append(
            compare(
                WORKLOADS[name],
                options.peers,
                rounds=options.rounds,
                epochs=options.epochs,
                train_runs=options.train_runs,
                images=options.images,
            )
        )
        save(report("Speed of training", command, sections(done)), options.output)
        raw = json.dumps([dataclasses.asdict(comparison) for comparison in done], indent=1)
        options.output.with_suffix(".json").write_text(raw + "\n")


def sections(comparisons: list[Comparison]) -> list[str]:
    """The sections of the page: a table for each workload, then one of ``nnjax train`` itself."""
    pages = [page for comparison in comparisons for page in turns_section(comparison)]
    if any(comparison.whole for comparison in comparisons):
        pages += whole_section(comparisons)
    return pages


def turns_section(comparison: Comparison) -> list[str]:
    """The heading, description and table of one workload: seconds, ratio, loss, accuracy."""
    heads = ["peer", "s, median", "min", "max", "ratio", "first s", "test loss", "test accuracy"]
    rows = [
        [
            TITLES[peer],
            f"{statistics.median(timing.seconds):.3f}",
            f"{min(timing.seconds):.3f}",
            f"{max(timing.seconds):.3f}",
            ratio(comparison.ratio(peer)),
            f"{timing.first:.2f}",
            f"{timing.loss:.4f}",
            percent(timing.accuracy, 2),
        ]
        for peer, timing in comparison.timings.items()
        if timing.seconds
    ]
    rounds = max((len(timing.seconds) for timing in comparison.timings.values()), default=0)
    workload = comparison.workload
    words = (
        f"Batch {workload.batch_size}, {comparison.examples:,} images, {comparison.epochs} "
        f"epoch(s) a turn, {rounds} turns in rotation after a first one that compiles."
    )
    if comparison.others is not None:
        words += f" Other processes took {percent(comparison.others)} of the machine meanwhile."
        if comparison.others > QUIET:
            words += " **Too busy a machine: do not quote these figures.**"
    if comparison.failed:
        words += f" Could not run: {', '.join(comparison.failed)}."
    return [f"## {workload.name}", words, table(heads, rows)]


def whole_section(comparisons: list[Comparison]) -> list[str]:
    """The table of ``nnjax train`` as a process, compared with PyTorch's epochs."""
    heads = ["workload", "epochs", "process s", "run s", "training s", "compile s"]
    heads += ["images/s", "test accuracy", "ratio, training", "ratio, run"]
    rows = []
    for comparison in comparisons:
        whole = comparison.whole
        if whole is None:
            continue
        names = ("wall_seconds", "seconds", "training_seconds", "compile_seconds")
        accuracies = [summary["test"]["accuracy"] for summary in whole.summaries]
        rows.append(
            [comparison.workload.name, str(whole.epochs)]
            + [f"{whole.median(name):.2f}" for name in names]
            + [f"{whole.median('examples_per_second'):,.0f}"]
            + [percent(statistics.median(accuracies), 2)]
            + [ratio(whole.ratio(name)) for name in ("training_seconds", "seconds")]
        )
    words = (
        "Medians over processes, each run after PyTorch had trained three epochs. *Process* is "
        "from start to end, figures included; *run* is from reading the data to the last "
        "checkpoint, evaluations and compilation included; *training* is the updates alone. "
        "Ratios: as many of those PyTorch epochs, bare, over the *training* and the *run* seconds."
    )
    return ["## `nnjax train` itself", words, table(heads, rows)]


if __name__ == "__main__":
    main(tyro.cli(Options, description=Options.__doc__))
