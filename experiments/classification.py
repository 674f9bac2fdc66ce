"""Trains a classifier, measures it on every split and draws what it learned.

Both of these run the experiment of ``configs/cnn2.py``:

    nnjax train cnn2
    python -m experiments.classification cnn2
"""

import sys

from nnjax.cli.main import script_main
from nnjax.console import Console
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
    figures = draw_report(result, data, run)
    Console().print(result_table({**result.summary, "figures": figures}))
    return result.summary


if __name__ == "__main__":
    sys.exit(script_main())
