"""Mean and spread over seeds, of trials that differ only in their seeds."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnjax.sweeps.record.results import Result, is_seed


@dataclass(frozen=True)
class Spread:
    """The distribution of a number over several seeds.

    Attributes:
      mean: of all.
      deviation: the sample standard deviation (divided by n - 1); None of a single number.
      count: how many numbers, n.
      low: the smallest.
      high: the largest.
    """

    mean: float
    deviation: float | None
    count: int
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread":
        """The spread of at least one number."""
        deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
        return cls(statistics.fmean(numbers), deviation, len(numbers), min(numbers), max(numbers))


@dataclass(frozen=True)
class OverSeeds:
    """Trials that differ only in their seeds.

    Attributes:
      labels: the values that they share, by dotted path.
      trials: the numbers of the complete trials, the best first.
      objective: of the complete trials; None where there is none.
      metrics: every final metric of the complete trials, by name, as in ``validation_accuracy``.
      left_out: the number of other trials, by their state.
    """

    labels: Mapping[str, Any]
    trials: tuple[int, ...]
    objective: Spread | None
    metrics: Mapping[str, Spread]
    left_out: Mapping[str, int]


def combine(found: Iterable[Result], *, maximize: bool) -> list[OverSeeds]:
    """The spread over seeds, for each combination of the other values.

    Args:
      found: the results, the best first.
      maximize: whether larger values of the objective are better.

    Returns:
      A row for each combination, the best mean first; those without a complete trial are last.
    """
    groups: dict[str, list[Result]] = {}
    for one in found:
        groups.setdefault(repr(_shared(one)), []).append(one)
    rows = [_row(group) for group in groups.values()]
    sign = -1 if maximize else 1

    def order(row: OverSeeds) -> tuple[bool, float]:
        return row.objective is None, sign * row.objective.mean if row.objective else 0.0

    return sorted(rows, key=order)


def has_seeds(found: Iterable[Result]) -> bool:
    """Whether any two trials differ only in their seeds."""
    seeded = [one for one in found if any(map(is_seed, one.labels))]
    return len({repr(_shared(one)) for one in seeded}) < len(seeded)


def _shared(one: Result) -> dict[str, Any]:
    return {path: label for path, label in one.labels.items() if not is_seed(path)}


def _row(group: list[Result]) -> OverSeeds:
    complete = [one for one in group if one.value is not None]
    values = [one.value for one in complete if one.value is not None]
    names = dict.fromkeys(name for one in complete for name in one.metrics)
    columns = {
        name: [one.metrics[name] for one in complete if name in one.metrics] for name in names
    }
    return OverSeeds(
        labels=_shared(group[0]),
        trials=tuple(one.number for one in complete),
        objective=Spread.of(values) if values else None,
        metrics={name: Spread.of(column) for name, column in columns.items()},
        left_out=Counter(one.state for one in group if one.value is None),
    )
