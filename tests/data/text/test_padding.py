"""Sequences of different lengths as one array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data.text.padding import encode_padded, encode_texts, lengths, longest
from nnjax.data.vocabulary import Vocabulary

LETTERS = Vocabulary(tuple("abc"))


@given(st.lists(st.text(st.sampled_from("abc"), max_size=6), min_size=1), st.integers(1, 8))
def test_padding_follows_the_end_and_hides_nothing(texts, width):
    padded = encode_padded(LETTERS, texts, width)
    assert padded.shape == (len(texts), width)
    assert lengths(padded).tolist() == [min(width, len(text)) for text in texts]
    for text, row in zip(texts, padded, strict=True):
        cut = text[:width]
        assert row.tolist() == [*LETTERS.encode_text(cut), *[-1] * (width - len(cut))]


@pytest.mark.parametrize(
    ("size", "dtype"), [(2**7, np.int8), (2**7 + 1, np.int16), (2**15 + 1, np.int32)]
)
def test_the_type_is_the_smallest_signed_one(size, dtype):
    words = Vocabulary(tuple(map(str, range(size))))
    padded = encode_padded(words, [[str(size - 1)], []], 1)
    assert padded.dtype == dtype
    assert padded.tolist() == [[size - 1], [-1]]


def test_the_longest_leaves_room_for_one():
    assert longest([[], []]) == 1
    assert longest(["ab", "a"]) == 2


def test_texts_of_any_length_share_a_few_widths():
    assert encode_texts(LETTERS, ["", "ab"]).tolist() == [[-1] * 16, [0, 1] + [-1] * 14]
    assert encode_texts(LETTERS, ["a" * 17]).shape == (1, 32)
    assert encode_texts(LETTERS, ["a"]).dtype == np.int32
