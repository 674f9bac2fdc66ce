"""``nnjax evaluate RUN``: measures a trained run on every split."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from nnjax.cli.options import parse_with_tyro
from nnjax.cli.runs import open_run


def evaluate(run: Annotated[Path, tyro.conf.Positional]) -> None:
    """Measures a trained run on every split of its data, every example counted once.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
    """
    from nnjax.training.devices import make_mesh
    from nnjax.training.evaluation import Evaluator
    from nnjax.training.fit import SPLITS
    from nnjax.training.snapshot import read_trained

    console = Console()
    opened = open_run(run)
    data = opened.load_data()
    learner, state, step = read_trained(opened.experiment, opened.run, data, console.print)
    evaluator = Evaluator(learner, data, make_mesh(1))
    measured = {split: evaluator(state, split) for split in SPLITS if data.size(split)}
    table = Table(title=f"{opened.run.directory}, step {step:,}", box=None, title_justify="left")
    table.add_column("split")
    table.add_column("examples", justify="right")
    for metric in next(iter(measured.values())):
        table.add_column(metric, justify="right")
    for split, metrics in measured.items():
        numbers = [f"{value:.4f}" for value in metrics.values()]
        table.add_row(split, f"{data.size(split):,}", *numbers)
    console.print(table)


def run(arguments: list[str]) -> int:
    """Parses the command line and evaluates."""
    parse_with_tyro(evaluate, arguments, "nnjax evaluate")
    return 0
