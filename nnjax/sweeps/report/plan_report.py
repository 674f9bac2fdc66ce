"""The plan of a sweep as a table, before anything is trained."""

from collections.abc import Mapping, Sequence

from rich.console import RenderableType

from nnjax.sweeps.run.display import describe, duration
from nnjax.sweeps.run.estimate import STARTING_SECONDS, Estimate
from nnjax.tables import Table


def render(
    estimates: Sequence[Estimate], reasons: Mapping[str, str], workers: int
) -> list[RenderableType]:
    """The programs, why there are several, and the total cost, ready to be printed."""
    parts: list[RenderableType] = [_table(estimates)]
    if len(estimates) > 1:
        parts += [f"{path} splits the sweep: it {reason}" for path, reason in reasons.items()]
    return [*parts, _total(estimates, workers)]


def _table(estimates: Sequence[Estimate]) -> Table:
    table = Table(["program", "trials", "at once", "in numbers", "memory", "time"], left=(0, 3))
    for one in estimates:
        table.add_row(
            describe(dict(one.program.settings)) or "all",
            str(one.trials),
            str(one.members),
            ", ".join(one.program.arguments),
            f"{one.bytes / 1e6:,.0f} MB" if one.bytes else "",
            "?" if one.seconds is None else duration(one.seconds),
        )
    return table


def _total(estimates: Sequence[Estimate], workers: int) -> str:
    trials = sum(one.trials for one in estimates)
    counted = f"{trials} trials in {len(estimates)} program" + "s" * (len(estimates) > 1)
    unknown = [one for one in estimates if one.seconds is None]
    seconds = sum(one.seconds or 0.0 for one in estimates) / workers + STARTING_SECONDS
    by = f" by {workers} workers" if workers > 1 else ""
    if unknown:
        return f"{counted}{by}; not measured: {len(unknown)}, trained one by one"
    return f"{counted}{by}, about {duration(seconds)} altogether"
