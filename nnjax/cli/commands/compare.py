"""``nnjax compare RUN...``: several runs side by side."""

from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from nnjax import fields
from nnjax.cli.options import call_with_options
from nnjax.cli.runs import Opened, open_run
from nnjax.errors import UserError
from nnjax.training.progress import format_metric

FACTS = ("status", "parameters", "steps", "seconds", "examples_per_second")


def compare(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional], figure: Path | None = None
) -> None:
    """Prints the results of several runs and the options in which they differ.

    Args:
      runs: run directories, or runs/NAME for the newest run of that name.
      figure: also draw the learning curves of all of them into this file, such as compare.png.
    """
    if not runs:
        raise UserError("give the runs to compare, as in: nnjax compare runs/cnn1 runs/cnn2")
    opened = [open_run(directory) for directory in runs]
    console = Console()
    console.print(_table(opened))
    if figure is not None:
        # Imported here: drawing needs what takes a second to import.
        from nnjax.figures import compare_curves, save

        records = {_label(each): each.run.read_metrics() for each in opened}
        save(compare_curves(records), figure)
        console.print(f"learning curves: {figure}", soft_wrap=True)


def _label(opened: Opened) -> str:
    """The name of the experiment and that of the run's directory."""
    return f"{opened.run.name}/{opened.run.directory.absolute().name}"


def _table(opened: list[Opened]) -> Table:
    """A column for each run: metrics, facts, then the options in which they differ."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for each in opened:
        table.add_column(_label(each), overflow="fold", justify="right")
    summaries = [each.run.read_summary() for each in opened]
    for row in (*_metrics(summaries), *_facts(summaries)):
        table.add_row(*row)
    differences = _differences(opened)
    if differences:
        table.add_section()
        table.add_row("")
    for path, values in differences.items():
        table.add_row(path, *values)
    return table


def _metrics(summaries: list[dict[str, Any]]) -> list[list[str]]:
    """The final metrics that any of the runs has."""
    from nnjax.data.dataset import SPLITS

    rows = []
    for split in SPLITS:
        measured = [summary.get(split, {}) for summary in summaries]
        for metric in dict.fromkeys(name for metrics in measured for name in metrics):
            numbers = [format_metric(m[metric]) if metric in m else "" for m in measured]
            rows.append([f"{split} {metric.replace('_', ' ')}", *numbers])
    return rows


def _facts(summaries: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [name.replace("_", " "), *[_text(summary.get(name)) for summary in summaries]]
        for name in FACTS
        if any(name in summary for summary in summaries)
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _differences(opened: list[Opened]) -> dict[str, list[str]]:
    """The options whose values are not the same in every run, and the classes that have them."""
    settings = [_settings(each.experiment) for each in opened]
    names = dict.fromkeys(path for each in settings for path in each)
    rows = {path: [each.get(path, "") for each in settings] for path in names}
    return {path: values for path, values in rows.items() if len(set(values)) > 1}


def _settings(experiment: Any) -> dict[str, str]:
    """Every option by its dotted path; for what has options of its own, its class."""
    classes = {"data": experiment.data, "learner": experiment.learner}
    for part in ("model", "optimizer", "solver"):
        if hasattr(experiment.learner, part):
            classes[part] = getattr(experiment.learner, part)
    named = {part: type(value).__name__ for part, value in classes.items()}
    return named | {path: str(value) for path, (_, value) in fields.paths(experiment).items()}


def run(arguments: list[str]) -> int:
    """Parses the command line and compares."""
    call_with_options(compare, arguments, "nnjax compare")
    return 0
