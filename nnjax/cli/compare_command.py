"""``nnjax compare RUN...``: several runs side by side."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from nnjax import fields
from nnjax.cli.options import parse_with_tyro
from nnjax.cli.runs import Opened, open_run


def compare(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional], figure: Path = Path("compare.png")
) -> None:
    """Prints the results of several runs and the options in which they differ; draws their curves.

    Args:
      runs: run directories, or runs/NAME for the newest run of that name.
      figure: the picture of the learning curves to write.
    """
    from nnjax.figures import compare_curves, save

    opened = [open_run(directory) for directory in runs]
    console = Console()
    console.print(_table(opened))
    labels = [_label(each) for each in opened]
    records = {label: each.run.read_metrics() for label, each in zip(labels, opened, strict=True)}
    save(compare_curves(records), figure)
    console.print(f"learning curves: {figure}")


def _label(opened: Opened) -> str:
    directory = opened.run.directory
    return f"{directory.parent.name}/{directory.name}"


def _table(opened: list[Opened]) -> Table:
    summaries = [each.run.read_summary() for each in opened]
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for each in opened:
        table.add_column(_label(each), overflow="fold")
    for split in ("train", "validation", "test"):
        for metric in sorted({name for each in summaries for name in each.get(split, {})}):
            numbers = [each.get(split, {}).get(metric) for each in summaries]
            table.add_row(f"{split} {metric}", *[_number(number) for number in numbers])
    for name in ("status", "parameters", "steps", "seconds"):
        table.add_row(name, *[_number(each.get(name)) for each in summaries])
    for path, values in _differences(opened).items():
        table.add_row(path, *values)
    return table


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _differences(opened: list[Opened]) -> dict[str, list[str]]:
    """The fields whose values are not the same in every run."""
    settings = [
        {path: str(value) for path, (_, value) in fields.paths(each.experiment).items()}
        for each in opened
    ]
    names = dict.fromkeys(path for each in settings for path in each)
    rows = {path: [each.get(path, "") for each in settings] for path in names}
    return {path: values for path, values in rows.items() if len(set(values)) > 1}


def run(arguments: list[str]) -> int:
    """Parses the command line and compares."""
    parse_with_tyro(compare, arguments, "nnjax compare")
    return 0
