"""The cost of evaluation, logging and checkpoints in a run: ``python -m benchmarks.overhead``."""

import dataclasses
import io
import os
import shlex
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks import machine
from benchmarks.table import percent, report, save, table
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads import Name as WorkloadName

OUTPUT = machine.result_page("overhead")


@dataclass(frozen=True)
class Options:
    """Times ``fit`` with training alone and with evaluation, logging and checkpoints, in turn.

    Attributes:
      workloads: the workloads to train.
      epochs: epochs of a run; 0 is 100 for an MLP and 15 for a convolutional net, as in configs/.
      rounds: runs of each kind, after an uncounted one of one epoch.
      threads: processors to use; 0 is all.
      images: train on this number of images only, to try the benchmark; None is all.
      output: the Markdown file.
    """

    workloads: tuple[WorkloadName, ...] = tuple(WORKLOADS)
    epochs: int = 0
    rounds: int = 3
    threads: int = 0
    images: int | None = None
    output: Path = OUTPUT


@dataclass(frozen=True)
class Kind:
    """What a run does besides training.

    Attributes:
      title: the title of its row in the table.
      evaluate: whether to evaluate the test split every epoch, and every split at the end.
      log: whether to write metrics and show progress.
      checkpoint: whether to save the first and last state, and one every 30 seconds.
    """

    title: str
    evaluate: bool = False
    log: bool = False
    checkpoint: bool = False


KINDS = (
    Kind("training alone"),
    Kind("with evaluation every epoch", evaluate=True),
    Kind("with evaluation, metrics and display", evaluate=True, log=True),
    Kind("with evaluation, metrics, display and checkpoints", True, True, True),
)


def main(options: Options) -> None:
    """Measures every workload and writes the page."""
    machine.use_threads(options.threads)
    with tempfile.TemporaryDirectory() as cache:
        # JAX reads the variables when it is imported. The uncounted runs fill the cache, so that
        # the counted ones load their programs, as all but the first run on a machine do.
        os.environ["JAX_COMPILATION_CACHE_DIR"] = cache
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        rows = [row for name in options.workloads for row in measure(name, options)]
    heads = [
        "workload, run",
        "epochs",
        "run s",
        "training s",
        "compile s",
        "other s",
        "other share",
    ]
    heads += ["added share"]
    words = (
        f"Medians of {options.rounds} runs of `fit`, in rotation. *Other* is the run less its "
        "training and the compilation of its update: drawing the parameters, moving the data, "
        "evaluation, metrics, display, checkpoints. *Added* is what evaluation, metrics, display "
        "and checkpoints add to training alone, as a share of the run without compilation; "
        "checkpoints are written in the background, so their cost may also show in *training*. "
        "Most of it is paid once, to load the programs that evaluate: the longer the run, the "
        "smaller the share."
    )
    command = shlex.join(["python", "-m", "benchmarks.overhead", *sys.argv[1:]])
    save(
        report("Cost of evaluation, logging and checkpoints", command, [words, table(heads, rows)]),
        options.output,
    )


def measure(name: WorkloadName, options: Options) -> list[list[str]]:
    """Returns the rows of one workload."""
    from nnjax.distributed.devices import use_threads

    workload = WORKLOADS[name]
    experiment = workload.experiment()
    # JAX fixes the number of threads once a process: the first workload decides.
    use_threads(experiment.training.threads)
    source = dataclasses.replace(experiment.data, train=options.images or experiment.data.train)
    data = source.load()
    epochs = options.epochs or (15 if workload.convolutions else 100)
    summaries: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for index in range(options.rounds + 1):
        for kind in KINDS:
            time.sleep(0.4)
            # The uncounted run compiles and fills the cache.
            summary = run(kind, experiment, data, epochs if index else 1)
            if index:
                summaries[kind].append(summary)
        print(f"{name}: round {index} of {options.rounds}", file=sys.stderr, flush=True)
    bare = _median(summaries[KINDS[0]], "other")
    rows = []
    for kind, measured in summaries.items():
        names = ("seconds", "training_seconds", "compile_seconds", "other")
        seconds, training, compiling, other = (_median(measured, each) for each in names)
        added = (other - bare) / (seconds - compiling)
        rows.append(
            [f"{name}, {kind.title}", str(epochs)]
            + [f"{value:.2f}" for value in (seconds, training, compiling, other)]
            + [percent(other / (seconds - compiling), 1)]
            + [percent(added, 1) if kind is not KINDS[0] else ""]
        )
    return rows


def run(kind: Kind, experiment: Any, data: Any, epochs: int) -> dict[str, Any]:
    """Returns the summary of one run of ``fit``, with the seconds besides training as "other"."""
    # Imported here, because the environment must be set before JAX is imported.
    from rich.console import Console

    from nnjax.data.dataset import Dataset
    from nnjax.runs.run import Run
    from nnjax.training import fit
    from nnjax.training.progress import Progress

    training = dataclasses.replace(
        experiment.training,
        epochs=epochs,
        evaluate_train=kind.evaluate,
    )
    if not kind.evaluate:
        data = Dataset({"train": data.split("train")}, data.classes, data.preprocess)
    examples = data.size("train")
    with tempfile.TemporaryDirectory() as folder:
        record = Run.create("overhead", experiment, directory=Path(folder) / "run")
        progress = Progress(
            total_steps=training.total_steps(examples),
            steps_per_epoch=training.steps_per_epoch(examples),
            console=Console(file=io.StringIO()),
        )
        with progress:
            summary = fit(
                experiment.learner,
                data,
                training,
                run=record if kind.checkpoint else None,
                progress=progress if kind.log else None,
            ).summary
    other = summary["seconds"] - summary["training_seconds"] - summary["compile_seconds"]
    return {**summary, "other": other}


def _median(summaries: list[dict[str, Any]], name: str) -> float:
    return statistics.median(summary[name] for summary in summaries)


if __name__ == "__main__":
    main(tyro.cli(Options, description=Options.__doc__))
