"""The parity task: whether the number of ones in a sequence is odd."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.tasks.generated import Generated, cut, distinct_rows
from nnjax.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Parity(Generated):
    """The parity task: whether the number of ones in a sequence of bits is odd.

    A change of any bit changes the answer. A recurrent network needs only two states; a network of
    fixed depth needs more units the longer the sequence is.

    Attributes:
      length: bits of a sequence.
      targets: the parity of the bits so far, after "all" bits, or only after the "last".

    Example:
      >>> from nnjax.data import Parity
      >>> data = Parity(length=4, targets="last", train=10, validation=0, test=0).load()
      >>> train = data.split("train")
      >>> bool((train["inputs"].sum(axis=1) % 2 == train["targets"]).all()), data.classes
      (True, ('even', 'odd'))
    """

    length: int = 20
    targets: Literal["all", "last"] = "all"

    def load(self) -> Dataset:
        """Inputs (n, length) ids of bits; targets (n, length), or (n,): 0 for "even", 1 for "odd".

        No two sequences are the same where there are enough of them.

        Raises:
          UserError: an option is out of range.
        """
        sizes = self.sizes()
        bits = distinct_rows(self.generator(), sum(sizes.values()), self.length, 2)
        splits = {name: self._sequences(part) for name, part in cut(sizes, bits).items()}
        return Dataset(splits, ("even", "odd"), None, vocabulary=Vocabulary(("0", "1")))

    def _sequences(self, bits: np.ndarray) -> Batch:
        parities = np.cumsum(bits, axis=1) % 2
        targets = parities.astype(np.int8) if self.targets == "all" else parities[:, -1]
        return {
            "inputs": bits.astype(np.int8),
            "targets": targets if self.targets == "all" else targets.astype(np.int32),
        }
