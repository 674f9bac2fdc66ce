"""Search spaces: the values that fields of an experiment take in a sweep."""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna

from nnjax.errors import UserError

Scale = Literal["linear", "log"]
Label = str | int | float | bool | None
"""A value as it is shown and stored: a number or a word."""

SHARE_OF_GAP = 0.001
"""By this share of the distance to its neighbours a point of a range may be rounded."""

MOST = 10_000
"""Largest number of points of a grid and of each dimension: each point is a run directory."""


@dataclass(frozen=True)
class Values:
    """A dimension that is a list of values.

    Attributes:
      labels: how each value is shown and stored.
      values: the values of the field, in the same order; None where the labels are the values.

    Example:
      >>> from nnjax.sweeps import Values
      >>> widths = Values(("small", "large"), ((10,), (100, 30)))
      >>> widths.points()
      ('small', 'large')
      >>> widths.value("large")
      (100, 30)
    """

    labels: tuple[Label, ...]
    values: tuple[Any, ...] | None = None

    def points(self) -> tuple[Label, ...]:
        """The labels, each of which is a point of a grid."""
        return self.labels

    def value(self, label: Label) -> Any:
        """The value of a label."""
        return label if self.values is None else self.values[self.labels.index(label)]

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The distribution that Optuna's samplers draw from."""
        return optuna.distributions.CategoricalDistribution(self.labels)


@dataclass(frozen=True)
class Range:
    """A dimension that is an interval of numbers.

    Attributes:
      low: the smallest number.
      high: the largest number, included.
      scale: "linear", or "log" where factors matter and not differences.
      count: the number of points of a grid, both ends included; None where a sampler draws.
      integer: whether the numbers are whole.

    Raises:
      UserError: the ends or the count are not possible.

    Example:
      >>> from nnjax.sweeps import Range
      >>> Range(1e-4, 0.1, "log", count=4).points()
      (0.0001, 0.001, 0.01, 0.1)
    """

    low: float
    high: float
    scale: Scale = "linear"
    count: int | None = None
    integer: bool = False

    def __post_init__(self):
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(f"the range {self.low}..{self.high} must go from a number to a larger")
        if self.scale == "log" and self.low <= 0:
            raise UserError(f"a log range begins above 0, not at {self.low}")
        if self.integer and not (self.low == int(self.low) and self.high == int(self.high)):
            raise UserError(f"a range of whole numbers has whole ends, not {self.low}..{self.high}")
        if self.count is not None and self.count < 2:
            raise UserError(f"a range has at least 2 points, both ends, not {self.count}")
        if self.count is not None and self.count > MOST:
            raise UserError(f"a range has at most {MOST:,} points, not {self.count:,}")

    def points(self) -> tuple[float, ...]:
        """The points of a grid: distinct, from end to end; fewer where an integer range has fewer.

        Raises:
          UserError: their number was not given, or floating point has fewer numbers in the range.
        """
        if self.count is None:
            raise UserError(
                f"a grid over {self.low:g}..{self.high:g} needs the number of points, as in "
                f"{self.scale}:{self.low:g}..{self.high:g}:5; or take a sampler: --sampler random"
            )
        points = [self.low, *map(self._between, range(1, self.count - 1)), self.high]
        if self.integer:
            return tuple(dict.fromkeys(map(round, points)))
        # As few digits as show the points apart, so that each reads as a person would write it.
        for digits in range(6, 18):
            inner = [float(f"{point:.{digits}g}") for point in points[1:-1]]
            if _are_alike([self.low, *inner, self.high], points):
                return (self.low, *inner, self.high)
        raise UserError(f"{self.low!r}..{self.high!r} has no {self.count} different numbers")

    def _between(self, index: int) -> float:
        """A point that is not at an end, before it is rounded."""
        assert self.count is not None
        share = index / (self.count - 1)
        if self.scale == "log" and self.high < 2 * self.low:
            # Logarithms of large numbers that are close are too coarse to tell them apart.
            growth = math.log1p((self.high - self.low) / self.low)
            point = self.low + self.low * math.expm1(share * growth)
        elif self.scale == "log":
            point = math.exp((1 - share) * math.log(self.low) + share * math.log(self.high))
        else:
            point = (1 - share) * self.low + share * self.high
        return min(max(point, self.low), self.high)

    def value(self, label: Any) -> Any:
        """The number, as an int in a range of whole numbers."""
        return int(label) if self.integer else label

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The distribution that Optuna's samplers draw from."""
        log = self.scale == "log"
        if self.integer:
            return optuna.distributions.IntDistribution(int(self.low), int(self.high), log=log)
        return optuna.distributions.FloatDistribution(self.low, self.high, log=log)


Dimension = Values | Range

Space = Mapping[str, Dimension]
"""Dimensions by the dotted path of their field."""

Suggest = Callable[[optuna.Trial], Mapping[str, Any]]
"""Draws the values of a trial with ``trial.suggest_float`` and the like; returns them by path."""


def _are_alike(rounded: Sequence[float], points: Sequence[float]) -> bool:
    """Whether rounded points grow strictly and lie where the points lie, to a share of the gaps."""
    grows = all(one < other for one, other in itertools.pairwise(rounded))
    gaps = [other - one for one, other in itertools.pairwise(points)]
    allowed = [SHARE_OF_GAP * min(pair) for pair in itertools.pairwise(gaps)]
    moved = [abs(one - other) for one, other in zip(rounded, points, strict=True)][1:-1]
    # An exact point has moved by 0, which is allowed however small the gap is.
    return grows and all(one <= most for one, most in zip(moved, allowed, strict=True))


def grid(space: Space) -> list[dict[str, Label]]:
    """All combinations of the points of all dimensions; the last dimension varies fastest.

    Raises:
      UserError: there are too many, or a range lacks the number of its points.
    """
    points_by_path = {path: dimension.points() for path, dimension in space.items()}
    count = math.prod(map(len, points_by_path.values()))
    if count > MOST:
        raise UserError(
            f"a grid of {count:,} combinations is too large, {MOST:,} are the most; list fewer "
            "values, or take a sampler: --sampler random --trials 50"
        )
    combinations: list[dict[str, Label]] = [{}]
    for path, points in points_by_path.items():
        combinations = [{**one, path: point} for one in combinations for point in points]
    return combinations


def parse(path: str, words: Sequence[str], read: Callable[[str], Any]) -> Dimension:
    """The dimension that the words after ``--over PATH`` describe.

    ``0.01 0.03 0.1`` lists values, ``0..4`` whole numbers; ``log:1e-4..1e-1``, ``linear:0..0.5``
    and ``int:8..64`` are ranges; ``:5`` at the end gives a grid of five points.

    Args:
      path: of the field.
      words: as on the command line.
      read: converts a word into a value of the field's type, or raises a UserError.

    Raises:
      UserError: there are no words, or they do not fit the field.
    """
    if not words:
        raise UserError(f"--over {path} needs values, as in --over {path} 0.01 0.03 0.1")
    if len(words) == 1 and (found := re.fullmatch(r"(log|linear|int):(.*)\.\.(.*)", words[0])):
        return _range(path, words[0], found, read)
    if len(words) == 1 and (found := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", words[0])):
        low, high = map(int, found.groups())
        if low > high:
            raise UserError(f"--over {path} {words[0]} counts upwards: {high}..{low}")
        if (count := high - low + 1) > MOST:
            raise UserError(
                f"--over {path} {words[0]} lists {count:,} values, {MOST:,} are the most; list "
                f"fewer, or draw some: --over {path} int:{words[0]} --sampler random --trials 50"
            )
        words = [str(number) for number in range(low, high + 1)]
    values = tuple(read(word) for word in words)
    labels = tuple(_label(word, value) for word, value in zip(words, values, strict=True))
    if len(set(labels)) < len(labels):
        raise UserError(f"--over {path} names a value twice: {' '.join(words)}")
    return Values(labels, values)


def _range(path: str, word: str, found: re.Match, read: Callable[[str], Any]) -> Range:
    high, _, count = found[3].partition(":")
    try:
        ends = float(found[2]), float(high)
        points = int(count) if count else None
    except ValueError:
        raise UserError(
            f"--over {path} {word} is no range; write one as {found[1]}:LOW..HIGH or, with the "
            f"number of points, {found[1]}:LOW..HIGH:COUNT"
        ) from None
    integer = found[1] == "int"
    for end in ends:
        read(str(int(end)) if integer else repr(end))
    return Range(*ends, "log" if found[1] == "log" else "linear", points, integer)


def _label(word: str, value: Any) -> Label:
    """A number itself, so that samplers and figures know its size; otherwise the word."""
    return value if isinstance(value, bool | int | float) else word
