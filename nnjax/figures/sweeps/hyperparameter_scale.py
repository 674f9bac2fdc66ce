"""The scale of a hyperparameter: where its values lie along an axis, and their colours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nnjax.figures import style

Kind = Literal["linear", "log", "ticks"]

LOG_SPAN = 20
"""Positive numbers that span more than this factor lie on a logarithmic axis."""

MOST_TICKS = 12
"""Different values up to which each has a tick of its own."""

NEARLY = 0.05
"""A round number is named, too, if it lies within this share of the span outside the values."""

LONGEST_VALUE = 18
"""Characters of a value that is no number."""


@dataclass(frozen=True)
class Scale:
    """How values lie along an axis.

    Attributes:
      kind: "linear", "log", or "ticks": at equal distances, in the order of ``choices``.
      choices: the different values, in their order.
    """

    kind: Kind
    choices: tuple[Any, ...]

    @classmethod
    def of(cls, values: Iterable[Any], kind: str | None = None) -> Scale:
        """The scale that suits some values.

        Args:
          values: numbers or words.
          kind: of the scale, where it is known; words have ticks in any case.
        """
        found = set(values)
        if not all(is_number(value) for value in found):
            return cls("ticks", tuple(sorted(found, key=_order)))
        choices = tuple(sorted(found))
        if len(choices) < 2 or (kind == "log" and choices[0] <= 0):
            return cls("ticks", choices)
        if kind == "ticks" and len(choices) > MOST_TICKS:
            kind = "linear"
        return cls(kind or _kind(choices), choices)  # pyright: ignore[reportArgumentType]

    @property
    def is_ordered(self) -> bool:
        """Whether these are numbers."""
        return all(is_number(choice) for choice in self.choices)

    def coordinate(self, value: Any) -> float:
        """Where a value lies, in units of the axis: the number, its logarithm, or its place."""
        if self.kind == "ticks":
            return float(self.choices.index(value))
        return float(np.log10(value)) if self.kind == "log" else float(value)

    def fraction(self, value: Any) -> float:
        """Where a value lies between the first, 0, and the last, 1."""
        first, last = self.coordinate(self.choices[0]), self.coordinate(self.choices[-1])
        return (self.coordinate(value) - first) / (last - first) if last > first else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Coordinates and texts of a few values to name."""
        if self.kind == "ticks" or self._are_apart():
            return [(self.coordinate(choice), text(choice)) for choice in self.choices]
        low, high = self.coordinate(self.choices[0]), self.coordinate(self.choices[-1])
        numbers = _decades(low, high) if self.kind == "log" else _round_numbers(low, high)
        return [(self.coordinate(number), text(number)) for number in numbers]

    def colour(self, value: Any) -> str:
        """The colour of a value: dark for small numbers, bright for large ones; any for words."""
        if not self.is_ordered:
            return style.colour(self.choices.index(value))
        return style.shade(self.fraction(value))

    def heights(self) -> list[tuple[float, str]]:
        """As ``ticks``, but as fractions of the way from the first value to the last."""
        first, last = self.coordinate(self.choices[0]), self.coordinate(self.choices[-1])
        span = last - first
        return [((at - first) / span if span else 0.5, name) for at, name in self.ticks()]

    def _are_apart(self) -> bool:
        """Whether every value may have a tick, no two of them touching."""
        places = [self.fraction(choice) for choice in self.choices]
        return len(places) <= 8 and bool(np.all(np.diff(places) > 0.11))


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text(value: Any) -> str:
    """A value in a figure: four digits of a number, the ends of a long word."""
    if is_number(value):
        return re.sub(r"e([+-])0(\d)", r"e\1\2", f"{value:.4g}")
    words = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return style.shown_name(words, LONGEST_VALUE)


def _order(value: Any) -> tuple[bool, list[float], str]:
    """Numbers and lists of them before words; the shorter lists, of sizes of layers say, first."""
    words = str(value).split() if isinstance(value, str) else text(value).split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return True, [], str(value)
    return False, [len(numbers), *numbers], ""


def _kind(numbers: tuple[Any, ...]) -> Kind:
    positive = [number for number in numbers if number > 0]
    if not positive:
        return "linear"
    if positive[-1] / positive[0] <= LOG_SPAN:
        return "log" if len(positive) == len(numbers) and _is_geometric(numbers) else "linear"
    if len(positive) == len(numbers):
        return "log"
    # A logarithmic axis has no place for 0, for example a penalty of 0 beside 0.001 and 0.01.
    return "ticks" if len(numbers) <= MOST_TICKS else "linear"


def _is_geometric(numbers: tuple[Any, ...]) -> bool:
    """Whether a few numbers, such as 16, 32 and 64, lie more evenly by their logarithms."""
    if not 3 <= len(numbers) <= MOST_TICKS:
        return False
    gaps, ratios = np.diff(numbers), np.diff(np.log(numbers))
    return bool(np.std(ratios) / np.mean(ratios) < 0.8 * np.std(gaps) / np.mean(gaps))


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between two logarithms; 2 and 5 times these too, where there are few."""
    factors = (1.0, 2.0, 5.0) if high - low < 1.7 else (1.0,)
    every = max(1, int((high - low) / 4))
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    numbers = [
        float(f"{factor:g}e{power}") for power in powers if power % every == 0 for factor in factors
    ]
    margin = NEARLY * (high - low)
    within = [n for n in numbers if low - margin <= np.log10(n) <= high + margin]
    return within or [10**low, 10**high]


def _round_numbers(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    numbers = MaxNLocator(nbins=4).tick_values(low, high)
    margin = NEARLY * (high - low)
    return [float(f"{n:.12g}") for n in numbers if low - margin <= n <= high + margin]
