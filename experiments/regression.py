"""Fits a linear model by gradients and compares it with the closed form of least squares.

Both of these run the experiment of ``configs/linear_regression.py``:

    nnjax train linear_regression
    python -m experiments.regression linear_regression
"""

import sys

import numpy as np

from nnjax.cli.main import script_main
from nnjax.console import Console
from nnjax.data import Dataset, Stream
from nnjax.errors import UserError
from nnjax.figures.report import draw_report
from nnjax.runs import Run
from nnjax.training import Experiment, fit
from nnjax.training.progress import Progress, result_table


def main(experiment: Experiment, run: Run, *, resume: bool = False, quiet: bool = False) -> dict:
    """Runs the experiment from data to figures and returns its summary."""
    data = experiment.data.load()
    training = experiment.training
    with Progress.of(training, data, quiet=quiet) as progress:
        result = fit(experiment.learner, data, training, run=run, progress=progress, resume=resume)
    losses = closed_form(data)
    summary = {**result.summary, "closed_form": losses}
    run.write_summary(summary)
    figures = draw_report(result, data, run)
    console = Console()
    console.print(result_table({**summary, "figures": figures}))
    shown = ", ".join(f"{split} {loss:.6g}" for split, loss in losses.items())
    console.print(f"mean squared error of the closed form: {shown}")
    return summary


def closed_form(data: Dataset | Stream) -> dict[str, float]:
    """The mean squared error, on each split, of the least-squares solution of the training split.

    [W; b] minimises |[x 1] [W; b] - y|^2, by singular values (LAPACK's gelsd), in float64.

    Raises:
      UserError: the data is a stream.
    """
    if not isinstance(data, Dataset):
        raise UserError("the closed form needs the whole table in memory, not a stream")
    inputs, targets = table(data, "train")
    solution, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
    errors = {}
    for split in data.splits:
        inputs, targets = table(data, split)
        errors[split] = float(np.mean((inputs @ solution - targets) ** 2))
    return errors


def table(data: Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The design matrix [x 1] of a split, (n, features + 1), and its targets, (n, outputs)."""
    batch = data.prepare(data.split(split))
    inputs = np.asarray(batch["inputs"], np.float64)
    inputs = inputs.reshape(len(inputs), -1)
    targets = np.asarray(batch["targets"], np.float64).reshape(len(inputs), -1)
    return np.column_stack([inputs, np.ones(len(inputs))]), targets


if __name__ == "__main__":
    sys.exit(script_main())
