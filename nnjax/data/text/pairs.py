"""Batches for encoder-decoders: a source, and the target as it is read and as it is predicted."""

from collections.abc import Sequence

import numpy as np

from nnjax.data.dataset import Batch
from nnjax.data.text.padding import encode_padded
from nnjax.data.vocabulary import END, START, Vocabulary


def encoder_decoder_arrays(
    sources: Sequence[Sequence[str]],
    targets: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    widths: tuple[int, int],
) -> Batch:
    """Arrays of pairs for an encoder-decoder that reads the true previous word (teacher forcing).

    Args:
      sources: the words of n sources.
      targets: the words of their targets.
      vocabulary: of the sources.
      target_vocabulary: of the targets; has ``<start>`` and ``<end>``.
      widths: of the sources; and of the targets, without ``<start>`` and ``<end>``.

    Returns:
      ``inputs``: ``source`` (n, widths[0]) and ``target`` (n, widths[1] + 1), which begins with
      ``<start>``; ``targets`` (n, widths[1] + 1): the same words shifted by one, ending with
      ``<end>``. All are ids, padded with -1.
    """
    read, written = decoder_arrays(targets, target_vocabulary, widths[1])
    source = encode_padded(vocabulary, sources, widths[0])
    return {"inputs": {"source": source, "target": read}, "targets": written}


def decoder_arrays(
    targets: Sequence[Sequence[str]], vocabulary: Vocabulary, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The inputs of a decoder, and its targets: the same words shifted by one.

    Args:
      targets: the words of n targets.
      vocabulary: has ``<start>`` and ``<end>``.
      width: of the targets, without ``<start>`` and ``<end>``.

    Returns:
      Ids (n, width + 1) that begin with ``<start>``, and ids (n, width + 1) that end with
      ``<end>``, both padded with -1.
    """
    read = [[START, *words] for words in targets]
    written = [[*words, END] for words in targets]
    return (
        encode_padded(vocabulary, read, width + 1),
        encode_padded(vocabulary, written, width + 1),
    )
