"""The copy task: remember some symbols for many steps, and write them."""

from dataclasses import dataclass

import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.labels import numbered
from nnjax.data.tasks.generated import Generated, cut, distinct_rows
from nnjax.data.vocabulary import Vocabulary
from nnjax.traced import check_number

BLANK = "."
"""The symbol of a step at which there is nothing to read."""

GO = ">"
"""The symbol after which the remembered symbols are to be written."""


@dataclass(frozen=True)
class Copy(Generated):
    """The copy task: read some symbols, wait, and write them in order.

    After Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and Bengio, "Unitary
    evolution recurrent neural networks" (2016): the symbols, then blanks, at the end of the wait
    a sign to begin, and blanks while the symbols are to be written. Only these last steps count in
    loss and accuracy. Without memory the loss is the logarithm of the number of different symbols.

    Attributes:
      delay: steps from the last symbol to the sign, including it, T.
      symbols: number of symbols to remember.
      alphabet: number of different symbols.

    Example:
      >>> from nnjax.data import Copy
      >>> train = Copy(delay=2, symbols=2, train=10, validation=0, test=0).load().split("train")
      >>> train["inputs"].shape, train["targets"][0, :4].tolist()
      ((10, 6), [-1, -1, -1, -1])
    """

    delay: int = 100
    symbols: int = 10
    alphabet: int = 8

    def load(self) -> Dataset:
        """Inputs (n, delay + 2 symbols) ids, targets of the same shape, -1 before the sign.

        No two sequences are the same where there are enough of them.

        Raises:
          UserError: an option is out of range.
        """
        sizes = self.sizes()
        check_number("delay", self.delay, at_least=1)
        check_number("number of different symbols", self.alphabet, at_least=2, below=101)
        rows = distinct_rows(self.generator(), sum(sizes.values()), self.symbols, self.alphabet)
        names = numbered(self.alphabet)
        words = (*names, BLANK, GO) if self.alphabet <= 10 else (*names, "blank", "go")
        splits = {name: self._sequences(part) for name, part in cut(sizes, rows).items()}
        return Dataset(splits, names, None, vocabulary=Vocabulary(words))

    def _sequences(self, symbols: np.ndarray) -> Batch:
        blank, go = self.alphabet, self.alphabet + 1
        shape = (len(symbols), self.delay + 2 * self.symbols)
        inputs = np.full(shape, blank, np.int8)
        inputs[:, : self.symbols] = symbols
        inputs[:, self.symbols + self.delay - 1] = go
        targets = np.full(shape, -1, np.int8)
        targets[:, -self.symbols :] = symbols
        return {"inputs": inputs, "targets": targets}
