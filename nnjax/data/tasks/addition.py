"""Sums as text: "535+61" is read and "596" written."""

from dataclasses import dataclass, field

import numpy as np

from nnjax.data.dataset import Dataset
from nnjax.data.tasks.generated import Generated, cut, without_repeats
from nnjax.data.text.pairs import encoder_decoder_arrays
from nnjax.data.vocabulary import END, START, Vocabulary
from nnjax.traced import check_number

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Addition(Generated):
    """Sums of two numbers as text, character by character.

    After Zaremba and Sutskever, "Learning to execute" (2014). All sums are equally likely. No sum
    occurs twice, not even with its two numbers swapped, so that no test sum is a training sum.

    Attributes:
      digits: the most digits of each number.
      reverse: write the source backwards, "16+535", which shortens the way from some digits to
        those of the answer that depend on them.
      train: number of training examples.

    Example:
      >>> from nnjax.data import Addition
      >>> data = Addition(digits=2, train=100, validation=0, test=10).load()
      >>> source = data.split("train")["inputs"]["source"]
      >>> source.shape, data.vocabulary.decode_text(data.vocabulary.encode_text("12+7"))
      ((100, 5), '12+7')
    """

    digits: int = 3
    reverse: bool = False
    train: int = field(default=50_000, kw_only=True)

    def load(self) -> Dataset:
        """Inputs ``source`` (n, 2 digits + 1) and ``target`` (n, digits + 2); targets as wide.

        See :func:`nnjax.data.text.pairs.encoder_decoder_arrays`.

        Raises:
          UserError: there are fewer different sums than examples, or an option is out of range.
        """
        sizes = self.sizes()
        # With ten digits the number of sums would not fit into 64 bits.
        check_number("number of digits", self.digits, at_least=1, below=10)
        pairs = draw_pairs(self.generator(), sum(sizes.values()), 10**self.digits)
        vocabulary = Vocabulary((*DIGITS, "+"))
        target_vocabulary = Vocabulary((*DIGITS, START, END))
        splits = {
            name: encoder_decoder_arrays(
                [self._source(a, b) for a, b in part],
                [str(a + b) for a, b in part],
                vocabulary,
                target_vocabulary,
                (2 * self.digits + 1, self.digits + 1),
            )
            for name, part in cut(sizes, pairs).items()
        }
        return Dataset(
            splits, preprocess=None, vocabulary=vocabulary, target_vocabulary=target_vocabulary
        )

    def _source(self, a: int, b: int) -> str:
        written = f"{a}+{b}"
        return written[::-1] if self.reverse else written


def draw_pairs(generator: np.random.Generator, count: int, below: int) -> np.ndarray:
    """Random pairs of numbers, int64 (count, 2), no pair twice, not even with its numbers swapped.

    Raises:
      UserError: there are fewer than ``count`` pairs.
    """
    drawn = without_repeats(generator, count, below * (below + 1) // 2)
    # The pairs with a <= b, numbered (0, 0), (0, 1), (1, 1), (0, 2) ...: b is the triangular root.
    b = ((np.sqrt(8.0 * drawn + 1) - 1) / 2).astype(np.int64)
    b -= b * (b + 1) // 2 > drawn
    b += (b + 1) * (b + 2) // 2 <= drawn
    a = drawn - b * (b + 1) // 2
    pairs = np.stack([a, b], axis=1)
    swap = generator.random(count) < 0.5
    pairs[swap] = pairs[swap, ::-1]
    return pairs
