"""``nnjax compare RUN...``: several runs side by side."""

import os
from pathlib import Path
from typing import Annotated, Any

import tyro

from nnjax import fields
from nnjax.cli.options import call_with_options
from nnjax.cli.runs import Opened, open_run
from nnjax.console import Console
from nnjax.errors import UserError
from nnjax.tables import Table
from nnjax.training.progress import format_metric

FACTS = ("status", "parameters", "steps", "seconds", "examples_per_second")


def compare(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    figure: Path | None = None,
    trust: bool = False,
) -> None:
    """Prints the results of several runs and the options in which they differ.

    Args:
      runs: run directories, or runs/NAME for the newest run of that name.
      figure: also draw the learning curves of all of them into this file, such as compare.png.
      trust: run the code that came with the run, also where somebody else made it.
    """
    if not runs:
        raise UserError("give the runs to compare, as in: nnjax compare runs/cnn1 runs/cnn2")
    opened = [open_run(directory, trust=trust) for directory in runs]
    labels = _labels(opened)
    console = Console()
    console.print(_table(opened, labels, console.width))
    if figure is not None:
        # Imported here, because it takes a second.
        from nnjax.figures import compare_curves, save
        from nnjax.figures.curves import kept_epoch

        records = [each.run.read_metrics() for each in opened]
        kept = [kept_epoch(each.run.read_summary()) for each in opened]
        drawn = compare_curves(
            dict(zip(labels, records, strict=True)), dict(zip(labels, kept, strict=True))
        )
        console.print(f"learning curves: {save(drawn, figure)}")


def _labels(opened: list[Opened]) -> list[str]:
    """A different label for each run: experiment and directory, where equal the end of the path.

    A run that is given twice is numbered.
    """
    directories = [each.run.directory.absolute() for each in opened]
    shared = os.path.commonpath([directory.parent for directory in directories])
    short = [f"{each.run.name}/{each.run.directory.absolute().name}" for each in opened]
    labels = [
        str(directory.relative_to(shared)) if short.count(label) > 1 else label
        for label, directory in zip(short, directories, strict=True)
    ]
    return [
        f"{label} ({labels[: place + 1].count(label)})" if labels.count(label) > 1 else label
        for place, label in enumerate(labels)
    ]


def _table(opened: list[Opened], labels: list[str], width: int) -> Table:
    """Metrics, facts and the options in which the runs differ.

    The runs are the columns, unless the table does not fit into the width and is shorter when the
    runs are its rows.
    """
    # A run whose summary is missing still has a status.
    summaries = [{"status": each.run.status} | each.run.read_summary() for each in opened]
    rows = [*_metrics(summaries), *_facts(summaries)]
    differences = [[path, *values] for path, values in _differences(opened).items()]
    by_column = Table(["", *labels])
    for row in [*rows, [], *differences] if differences else rows:
        by_column.add_row(*row)
    headings, *columns = zip(*rows, *differences, strict=True)
    by_row = Table(["", *headings])
    for label, cells in zip(labels, columns, strict=True):
        by_row.add_row(label, *cells)
    fits = by_column.width <= width
    return by_column if fits or by_column.lines(width) <= by_row.lines(width) else by_row


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
