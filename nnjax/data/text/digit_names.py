"""Images of digits with their names as captions: one to many."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.images.mnist import Mnist
from nnjax.data.splits import ImageSplits
from nnjax.data.text.pairs import decoder_arrays
from nnjax.data.vocabulary import END, START, Vocabulary

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

LETTERS = tuple(sorted(set("".join(NAMES))))

VOCABULARY = Vocabulary((START, END, *LETTERS))

WIDTH = max(map(len, NAMES))


@dataclass(frozen=True)
class DigitNames(ImageSplits):
    """MNIST, or a set like it of ten classes, with the digit's name in letters as the caption.

    Example:
      >>> from nnjax.data import DigitNames
      >>> data = DigitNames(train=1000).load()  # doctest: +SKIP
      >>> data.target_vocabulary.decode_text(data.split("train")["targets"][0])  # doctest: +SKIP
      'five'

    Attributes:
      path: as of :class:`~nnjax.data.images.mnist.Mnist`.
      data_dir: as of :class:`~nnjax.data.images.mnist.Mnist`.
    """

    path: Path | None = None
    data_dir: Path | None = None

    def load(self) -> Dataset:
        """Inputs ``source`` (n, 28, 28, 1) uint8 and ``target`` (n, 6) ids; targets (n, 6) ids.

        Raises:
          UserError: as for MNIST.
        """
        digits = Mnist(**{one.name: getattr(self, one.name) for one in fields(self)}).load()
        splits = {name: _captioned(split) for name, split in digits.splits.items()}
        return Dataset(
            splits,
            preprocess=digits.preprocess,
            augment=digits.augment,
            target_vocabulary=VOCABULARY,
            preprocessed="source",
        )


def _captioned(split: Batch) -> Batch:
    words = [NAMES[digit] for digit in np.asarray(split["targets"])]
    read, written = decoder_arrays(words, VOCABULARY, WIDTH)
    return {"inputs": {"source": split["inputs"], "target": read}, "targets": written}
