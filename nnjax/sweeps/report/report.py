"""The results of a sweep as tables: the trials by rank, and mean and spread over their seeds."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from nnjax.console import Console
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import STATES, Result, labels, paths, ranked, results
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.report.seeds import OverSeeds, Spread, combine, has_seeds
from nnjax.tables import Table
from nnjax.training.progress import format_metric

__all__ = [
    "OverSeeds",
    "Spread",
    "counted",
    "has_seeds",
    "labels",
    "over_seeds",
    "ranked",
    "results",
    "seeds_table",
    "short_names",
    "table",
]

SHOWN = 20
"""Rows of a table, unless told otherwise."""


def table(
    directory: SweepDirectory,
    study: Study,
    objective: Objective,
    most: int = SHOWN,
    *,
    console: Console | None = None,
) -> Group:
    """A table of the best trials, and how the others ended.

    Args:
      directory: of the sweep.
      study: its record.
      objective: the metric that ranked the trials.
      most: rows to show; the line below the table counts all trials.
      console: where the table is to fit; other metrics are shown as far as there is room. None
        takes standard output.
    """
    console = console or Console()
    found = results(directory, study)
    own = f"{objective.split}_{objective.metric}"
    others = [
        name for name in dict.fromkeys(n for one in found for n in one.metrics) if name != own
    ]
    shown = _trials(found[:most], paths(found), objective, [])
    for count in range(1, len(others) + 1):
        wider = _trials(found[:most], paths(found), objective, others[:count])
        if wider.width > console.width:
            break
        shown = wider
    return Group(shown, _caption(f"{counted(found)}, in {directory.directory}"))


def counted(found: Sequence[Result]) -> str:
    """The number of trials in each state: "20 trials: 17 complete, 3 pruned"."""
    counts = Counter(one.state for one in found)
    told = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    return f"{len(found)} trials: {', '.join(told)}"


def over_seeds(directory: SweepDirectory, study: Study, objective: Objective) -> list[OverSeeds]:
    """Mean and spread over seeds, a row for each combination of the other fields.

    Args:
      directory: of the sweep.
      study: its record.
      objective: what ranked the trials.

    Returns:
      The rows, the best mean first.
    """
    return combine(results(directory, study), maximize=objective.maximize)


def seeds_table(rows: Sequence[OverSeeds], objective: Objective, most: int = SHOWN) -> Group:
    """Mean and spread over seeds: a row for each combination, or for each metric of the only one.

    Args:
      rows: as ``over_seeds`` gives them.
      objective: what ranked the trials.
      most: rows to show.
    """
    if len(rows) == 1 and not rows[0].labels:
        return _one_combination(rows[0], objective)
    fields = list(dict.fromkeys(path for row in rows for path in row.labels))
    caption = f"{objective} over {_seeds(rows)}, by the mean"
    if len(rows) > most:
        caption += f"; {most} of {len(rows)} combinations"
    shown = _table([*short_names(fields).values(), *_HEADINGS, ""])
    for row in rows[:most]:
        cells = _cells(row.objective, objective.maximize)
        left_out = ", ".join(f"{count} {state}" for state, count in row.left_out.items())
        shown.add_row(*(_text(row.labels.get(path)) for path in fields), *cells, left_out)
    return Group(shown, _caption(caption))


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """The name of each dotted path in tables: its last part, or all of it where that is shared."""
    tails = Counter(path.rpartition(".")[2] for path in fields)
    return {path: tail if tails[tail := path.rpartition(".")[2]] == 1 else path for path in fields}


_HEADINGS = ("mean", "std", "n", "best", "worst")


def _trials(
    found: Sequence[Result],
    fields: Sequence[str],
    objective: Objective,
    others: Sequence[str],
) -> Table:
    names = [name.replace("_", " ") for name in others]
    shown = _table(["trial", *short_names(fields).values(), str(objective), *names, ""])
    for one in found:
        shown.add_row(
            str(one.number),
            *(_text(one.labels.get(path)) for path in fields),
            "" if one.value is None else format_metric(one.value),
            *(format_metric(one.metrics[name]) if name in one.metrics else "" for name in others),
            "" if one.state == "complete" else one.reason or one.state,
        )
    return shown


def _one_combination(row: OverSeeds, objective: Objective) -> Group:
    """A row for each metric of trials that differ only in their seeds."""
    left_out = "".join(f", {count} {state}" for state, count in row.left_out.items())
    shown = _table(["", *_HEADINGS], first="left")
    for name, spread in row.metrics.items():
        grows = name.partition("_")[2] in objective.growing
        shown.add_row(name.replace("_", " "), *_cells(spread, grows))
    if not row.metrics:
        shown.add_row(str(objective), *_cells(row.objective, objective.maximize))
    return Group(shown, _caption(f"over {len(row.trials)} seeds{left_out}"))


def _cells(spread: Spread | None, maximize: bool) -> list[str]:
    """Mean, standard deviation, n, best and worst."""
    if spread is None:
        return ["", "", "0", "", ""]
    best, worst = (spread.high, spread.low) if maximize else (spread.low, spread.high)
    deviation = "" if spread.deviation is None else format_metric(spread.deviation)
    ends = map(format_metric, (best, worst))
    return [format_metric(spread.mean), deviation, str(spread.count), *ends]


def _seeds(rows: Sequence[OverSeeds]) -> str:
    counts = {len(row.trials) + sum(row.left_out.values()) for row in rows}
    return f"{'up to ' * (len(counts) > 1)}{max(counts)} seeds"


def _table(headings: Sequence[str], first: str = "right") -> Table:
    """A table of numbers whose last column, where it has no heading, is of words."""
    last = len(headings) - 1
    return Table(
        headings,
        left=(0,) if first == "left" else (),
        words=() if headings[last] else (last,),
    )


def _caption(words: str) -> Text:
    """A line below a table; that of a table itself would be folded to its width."""
    return Text(words, style="dim italic")


def _text(label: Any) -> str:
    """A value for a table: four digits of a number that was drawn."""
    if isinstance(label, float):
        return f"{label:.4g}"
    if isinstance(label, list | tuple):
        return " ".join(map(str, label))
    return "" if label is None else str(label)
