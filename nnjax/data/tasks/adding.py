"""The adding problem: remember two numbers for many steps (Hochreiter and Schmidhuber, 1997)."""

from dataclasses import dataclass

import jax
import numpy as np

from nnjax.data.dataset import Batch, Dataset, Spec
from nnjax.data.tasks.generated import Generated
from nnjax.traced import check_number


@dataclass(frozen=True)
class Adding(Generated):
    """The adding problem: the sum of the two marked numbers in a long sequence.

    Experiment 4 of Hochreiter and Schmidhuber, "Long short-term memory" (1997): at every step a
    number, uniform in [-1, 1], and a mark: 1 at one of the first ten steps and at another step of
    the first half, else -1 at the first and the last step, and 0 elsewhere. The target is
    0.5 + (X1 + X2) / 4 of the marked numbers X1 and X2, so that at least half of the sequence lies
    between them and the answer; the number of a marked first step counts as 0. A sequence is solved
    if the error is at most 0.04. The constant answer 0.5 has a mean squared error a little below
    1/24.

    Attributes:
      length: steps of a sequence, T; the shortest where lengths vary.
      varied: draw the length of each sequence from T to T + T/10, as the paper does. Then the
        sequences are padded with zeros, and the inputs hold their lengths, too.

    Example:
      >>> from nnjax.data import Adding
      >>> data = Adding(length=30, train=100, validation=0, test=0).load()
      >>> data.split("train")["inputs"].shape
      (100, 30, 2)
    """

    length: int = 100
    varied: bool = False

    def load(self) -> Dataset:
        """Inputs (n, T, 2) float32, or a dict of these as ``sequence`` and ``lengths`` int32 (n,).

        Targets are (n,) float32.

        Raises:
          UserError: the sequences are too short, or a number of examples is out of range.
        """
        sizes = self.sizes()
        check_number("length", self.length, at_least=20)
        generator = self.generator()
        splits = {name: self._draw(generator, size) for name, size in sizes.items()}
        return Dataset(splits, preprocess=None)

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns; draws nothing."""
        sequence = jax.ShapeDtypeStruct((self._longest, 2), np.float32)
        lengths = jax.ShapeDtypeStruct((), np.int32)
        inputs = {"sequence": sequence, "lengths": lengths} if self.varied else sequence
        targets = jax.ShapeDtypeStruct((), np.float32)
        return Spec({"inputs": inputs, "targets": targets}, self.sizes(), preprocess=None)

    @property
    def _longest(self) -> int:
        return self.length + self.length // 10 if self.varied else self.length

    def _draw(self, generator: np.random.Generator, size: int) -> Batch:
        everyone = np.arange(size)
        lengths = generator.integers(self.length, self._longest + 1, size=size, dtype=np.int32)
        numbers = generator.uniform(-1, 1, (size, self._longest)).astype(np.float32)
        first = generator.integers(10, size=size)
        # A step of the first half other than the first mark: later places move up by one.
        second = generator.integers(self.length // 2 - 1, size=size)
        second += second >= first
        marks = np.zeros_like(numbers)
        marks[:, 0] = marks[everyone, lengths - 1] = -1
        marks[everyone, first] = marks[everyone, second] = 1
        marked = numbers[everyone, [first, second]]
        # The paper: where the first step is marked, its number is set to zero.
        summed = np.where(np.stack([first, second]) == 0, 0, marked).sum(axis=0)
        targets = (0.5 + summed / 4).astype(np.float32)
        sequence = np.stack([numbers, marks], axis=-1)
        sequence[np.arange(self._longest) >= lengths[:, None]] = 0
        inputs = {"sequence": sequence, "lengths": lengths} if self.varied else sequence
        return {"inputs": inputs, "targets": targets}
