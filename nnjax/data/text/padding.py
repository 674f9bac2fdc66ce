"""Padding: sequences of ids of different lengths as one array."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from nnjax.data.vocabulary import Vocabulary

PADDING = -1
"""The id after the end of a sequence. Every negative id is padding, and none comes before the end.
"""

MULTIPLE = 16
"""Texts are padded to a multiple of this many words, so that one compiled program serves texts of
many lengths."""


def encode_padded(
    vocabulary: Vocabulary, sequences: Sequence[Sequence[str]], width: int
) -> np.ndarray:
    """The ids of sequences of words, one sequence a row, padded with -1 after their end.

    Args:
      vocabulary: of the words.
      sequences: n sequences, cut to ``width``; some may be empty.
      width: of the array.

    Returns:
      (n, width), of the smallest signed type that holds the ids: int8, int16 or int32.

    Raises:
      UserError: a word is not in the vocabulary.
    """
    size = len(vocabulary)
    dtype = np.int8 if size <= 2**7 else np.int16 if size <= 2**15 else np.int32
    cut = [sequence[:width] for sequence in sequences]
    filled = np.arange(width) < np.array([len(one) for one in cut], np.int32)[:, None]
    padded = np.full(filled.shape, PADDING, dtype)
    padded[filled] = vocabulary.encode(list(chain.from_iterable(cut)))
    return padded


def encode_texts(
    vocabulary: Vocabulary, texts: Sequence[str], maximum_length: int | None = None
) -> np.ndarray:
    """The ids of texts, one text a row, padded with -1 after their end.

    Args:
      vocabulary: of the words, into which its tokeniser cuts the texts.
      texts: n of them; some may be empty.
      maximum_length: longer texts are cut after so many words; None cuts none.

    Returns:
      int32 (n, width), the width being the least multiple of 16 that holds the longest text.

    Raises:
      UserError: a word is not in the vocabulary, and that has no ``<unknown>``.
    """
    words = [vocabulary.tokeniser.split(text)[:maximum_length] for text in texts]
    width = -(-longest(words) // MULTIPLE) * MULTIPLE
    return encode_padded(vocabulary, words, width).astype(np.int32)


def lengths(padded: np.ndarray) -> np.ndarray:
    """The lengths of padded sequences (..., width), int32 (...)."""
    return (padded >= 0).sum(axis=-1, dtype=np.int32)


def longest(sequences: Sequence[Sequence[object]]) -> int:
    """The length of the longest sequence, but at least 1, so that no array is empty."""
    return max(1, max(map(len, sequences), default=1))


def objects(values: Sequence[object]) -> np.ndarray:
    """Texts or lists as an array of objects (n,), which can be indexed like other examples."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
