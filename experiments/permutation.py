"""Trains a convolutional and a dense net on images and on the same images with permuted pixels.

Both of these run the experiment of ``configs/mnist_permuted.py``, each of its four trainings a run
of its own inside the run directory:

    nnjax train mnist_permuted
    python -m experiments.permutation mnist_permuted
"""

import sys
from dataclasses import replace

from nnjax import fields
from nnjax.cli.main import script_main
from nnjax.console import Console
from nnjax.distributed import collectives
from nnjax.figures import compare_curves, save
from nnjax.figures.report import left_out_on_error
from nnjax.models import MLP
from nnjax.runs.run import CONFIG, Run
from nnjax.tables import Table
from nnjax.training import Experiment, fit
from nnjax.training.interruption import Interrupted
from nnjax.training.progress import Progress

DENSE = MLP(features=(512,), activation="relu")
"""The dense model, which the convolutional model of the experiment is compared with."""

PERMUTATION_SEED = 1

SEVERAL_TRAININGS = True
"""Tells a sweep that it cannot train many of these experiments in one program."""


def main(experiment: Experiment, run: Run, *, resume: bool = False, quiet: bool = False) -> dict:
    """Runs those of the four trainings that are not finished; returns the test metrics of all."""
    del resume  # Each training is resumed from its own run directory.
    console = Console()
    runs = {}
    for name, variation in variations(experiment).items():
        if not quiet:
            console.print(name, style="bold")
        runs[name] = part = open_part(run, name, variation)
        if part.status != "finished":
            train(variation, part, run, quiet=quiet)
    tests = {name: part.read_summary()["test"] for name, part in runs.items()}
    summary = {"status": "finished", "tests": tests}
    if not run.keeps:
        return summary
    run.write_summary(summary)
    console.print(table(tests))
    with left_out_on_error("learning_curves"):
        figure = compare_curves({name: part.read_metrics() for name, part in runs.items()})
        path = save(figure, run.figures / "learning_curves.png")
        console.print(f"figure: {path}")
    return summary


def variations(experiment: Experiment) -> dict[str, Experiment]:
    """The experiments with either model on either set of images, by name."""
    models = {"convolutional": fields.get(experiment, "learner.model"), "dense": DENSE}
    pixels = {"original": None, "permuted": PERMUTATION_SEED}
    experiment = replace(experiment, script="classification")
    return {
        f"{model}, {order} pixels": fields.replace(
            experiment,
            {"learner.model": models[model], "data.preprocess.permutation_seed": pixels[order]},
        )
        for order in pixels
        for model in models
    }


def open_part(run: Run, name: str, variation: Experiment) -> Run:
    """Opens or makes the run of one variation, inside the directory of the whole run."""
    directory = run.directory / name.replace(", ", "-").replace(" ", "-")
    if collectives.by_first((directory / CONFIG).exists):
        return Run.open(directory)
    return Run.create(name, variation, directory=directory)


def train(variation: Experiment, part: Run, run: Run, *, quiet: bool) -> None:
    """Trains one variation, from its newest checkpoint if it was stopped."""
    data = variation.data.load()
    training = variation.training
    try:
        with Progress.of(training, data, quiet=quiet) as progress:
            fit(variation.learner, data, training, run=part, progress=progress, resume=True)
    except Interrupted as stop:
        run.write_summary({"status": "interrupted"})
        hint = f"stopped; go on with: {run.resume_command}"
        raise Interrupted(hint, stop.signal_number) from None


def table(tests: dict[str, dict[str, float]]) -> Table:
    """The test loss and accuracy of each variation, for ``Console.print``."""
    result = Table(["", "test loss", "test accuracy"])
    for name, test in tests.items():
        result.add_row(name, f"{test['loss']:.4f}", f"{test['accuracy']:.2%}")
    return result


if __name__ == "__main__":
    sys.exit(script_main())
