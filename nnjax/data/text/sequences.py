"""The options that sources of texts of different lengths have in common."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nnjax.data.dataset import Dataset
from nnjax.data.splits import Selection
from nnjax.data.text.buckets import Bucketed
from nnjax.data.vocabulary import UNKNOWN, Vocabulary
from nnjax.data.words import Tokeniser
from nnjax.traced import check_number


@dataclass(frozen=True, kw_only=True)
class Sequences(Selection):
    """Which examples to use, and how their texts become ids.

    Attributes:
      level: take "characters" or "words" as the unit of text.
      lower_case: convert all letters to lower case.
      minimum_count: the vocabulary leaves out words, or characters, that occur less often in the
        training texts; they become ``<unknown>``.
      maximum_words: largest size of the vocabulary; None sets no limit.
      encoding: of the files.
      seed: shuffles the training examples before any are taken.
      buckets: number of lengths that batches may have. With one, all batches are as long as the
        longest text. With more, a batch holds texts of similar length and is only as long as these,
        which trains faster; the batches are then sent to the device one by one.
    """

    level: Literal["characters", "words"] = "words"
    lower_case: bool = False
    minimum_count: int = 1
    maximum_words: int | None = None
    encoding: str = "utf-8"
    buckets: int = 1
    seed: int | None = 0

    @property
    def tokeniser(self) -> Tokeniser:
        """How texts are cut into words."""
        return Tokeniser(self.level, self.lower_case)

    def vocabulary(
        self, texts: Iterable[Sequence[str]], special: tuple[str, ...] = (UNKNOWN,)
    ) -> Vocabulary:
        """The vocabulary of training texts that are cut into words.

        Raises:
          UserError: it is empty.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return Vocabulary.from_counts(
            counts,
            minimum_count=self.minimum_count,
            maximum_size=self.maximum_words,
            special=special,
            tokeniser=self.tokeniser,
        )

    def finished(self, data: Dataset) -> Dataset | Bucketed:
        """The data as it is, or in batches of a few lengths if there are several buckets."""
        check_number("number of buckets", self.buckets, at_least=1)
        return data if self.buckets == 1 else Bucketed.of(data, self.buckets)
