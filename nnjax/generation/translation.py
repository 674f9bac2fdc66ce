"""Translation of sentences by an encoder-decoder between two vocabularies."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from nnjax.data.text.padding import encode_texts
from nnjax.data.vocabulary import Vocabulary
from nnjax.generation.beam import beam_search
from nnjax.generation.generate import answer


def translate_to_ids(
    model: nn.Module,
    variables: Any,
    sentences: Sequence[str],
    vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    *,
    length: int = 100,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> np.ndarray:
    """The translations of sentences, computed in one batch, as ids of the target's words.

    Args:
      model: an encoder-decoder.
      variables: of the model.
      sentences: n texts; the model also translates a text of no words.
      vocabulary: of the source.
      target_vocabulary: of the target, with ``<start>`` and ``<end>``.
      length: largest number of words of a translation.
      beams: hypotheses of the beam search; 1 is greedy.
      length_penalty: of the beam search.

    Returns:
      int32 (n, length), negative from the end on.

    Raises:
      UserError: a word is not in the vocabulary, and that has no ``<unknown>``, or an option is out
        of range.
    """
    start, end = _ends(target_vocabulary)
    source = encode_texts(vocabulary, sentences)
    if beams == 1:
        return answer(model, variables, source, length, start=start, end=end)
    found, _ = beam_search(
        model,
        variables,
        source,
        length,
        start=start,
        end=end,
        beams=beams,
        length_penalty=length_penalty,
    )
    return found[:, 0]


def translate(
    model: nn.Module,
    variables: Any,
    sentences: Sequence[str],
    vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    **options: Any,
) -> list[str]:
    """The translations of sentences as texts, computed in one batch.

    Args:
      model: an encoder-decoder.
      variables: of the model.
      sentences: n texts.
      vocabulary: of the source.
      target_vocabulary: of the target.
      options: ``length``, ``beams`` and ``length_penalty``, as of :func:`translate_to_ids`.

    Returns:
      n texts; errors are those of :func:`translate_to_ids`.
    """
    ids = translate_to_ids(model, variables, sentences, vocabulary, target_vocabulary, **options)
    return [target_vocabulary.decode_text(row) for row in ids]


def attention_of(
    model: Any,
    variables: Any,
    source: str,
    target: np.ndarray,
    vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
) -> tuple[np.ndarray, list[str], list[str]]:
    """The attention weights of each word of a translation on the words of its source.

    Args:
      model: an encoder-decoder with attention.
      variables: of the model.
      source: a sentence of at least one word.
      target: ids of its translation, as :func:`translate_to_ids` gives them.
      vocabulary: of the source.
      target_vocabulary: of the target.

    Returns:
      Weights (words of the target and the end, words of the source), and the words of the source
      and of the target with its end.

    Raises:
      UserError: the model has no attention.
    """
    start, end = _ends(target_vocabulary)
    read = encode_texts(vocabulary, [source])
    written = target[target >= 0]
    inputs = {"source": read, "target": np.append(np.int32(start), written)[None]}
    weights = jax.jit(lambda inputs: model.apply(variables, inputs, method="attention_weights"))
    words = list(vocabulary.tokeniser.split(source))
    found = np.asarray(weights(inputs))[0, :, : len(words)]
    return found, words, target_vocabulary.decode(np.append(written, end))


def _ends(vocabulary: Vocabulary) -> tuple[int, int]:
    start, end = vocabulary.start, vocabulary.end
    assert start is not None
    assert end is not None
    return start, end
