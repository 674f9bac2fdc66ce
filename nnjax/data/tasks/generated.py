"""The options that generated tasks have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnjax.data.dataset import SPLITS
from nnjax.errors import UserError
from nnjax.traced import SEEDS, check_number


@dataclass(frozen=True, kw_only=True)
class Generated:
    """The number of examples to generate, and the seed to draw them from.

    Attributes:
      train: number of training examples.
      validation: number of validation examples.
      test: number of test examples.
      seed: of the random numbers that all examples are drawn from.
    """

    train: int = 20_000
    validation: int = 1_000
    test: int = 1_000
    seed: int = 0

    def sizes(self) -> dict[str, int]:
        """The number of examples of each split that has any.

        Raises:
          UserError: a number is out of range, or there are no training examples.
        """
        check_number("seed", self.seed, at_least=0, below=SEEDS)
        sizes = {name: getattr(self, name) for name in SPLITS}
        for name, size in sizes.items():
            check_number(f"number of {name} examples", size, at_least=int(name == "train"))
        return {name: size for name, size in sizes.items() if size}

    def generator(self) -> np.random.Generator:
        """The generator of random numbers that examples are drawn with."""
        return np.random.default_rng(self.seed)


def cut(sizes: Mapping[str, int], order: np.ndarray) -> dict[str, np.ndarray]:
    """The examples (n, ...) of each split: consecutive parts of ``order``."""
    ends = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(order, ends), strict=True))


def distinct_rows(
    generator: np.random.Generator, count: int, length: int, symbols: int
) -> np.ndarray:
    """Random rows of symbols, all different where there are enough to draw from.

    Args:
      generator: to draw with.
      count: number of rows.
      length: symbols of a row.
      symbols: number of different symbols.

    Returns:
      int32 (count, length). Rows repeat where no more than twice as many as wanted exist: then a
      test row may also be a training row.

    Raises:
      UserError: there is no row or no symbol to draw.
    """
    check_number("length", length, at_least=1)
    check_number("number of symbols", symbols, at_least=2)
    rows = generator.integers(symbols, size=(count, length), dtype=np.int32)
    if symbols**length <= 2 * count:
        return rows
    while True:
        _, first = np.unique(rows, axis=0, return_index=True)
        if len(first) == count:
            return rows
        again = np.setdiff1d(np.arange(count), first)
        rows[again] = generator.integers(symbols, size=(len(again), length), dtype=np.int32)


def without_repeats(generator: np.random.Generator, count: int, available: int) -> np.ndarray:
    """``count`` different random numbers below ``available``, int64 (count,), in random order.

    Raises:
      UserError: ``count`` is larger than ``available``.
    """
    if count > available:
        raise UserError(f"{count} examples are wanted, but only {available} are different")
    if available <= 4 * count:
        return generator.permutation(available)[:count]
    drawn = np.zeros(0, np.int64)
    while len(drawn) < count:
        more = np.concatenate([drawn, generator.integers(available, size=count)])
        _, first = np.unique(more, return_index=True)
        drawn = more[np.sort(first)]
    return drawn[:count]
