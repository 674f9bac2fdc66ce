"""Vocabularies: words, their ids, and the file they are kept in."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data.vocabulary import END, START, UNKNOWN, Vocabulary, smallest
from nnjax.data.words import Tokeniser
from nnjax.errors import UserError
from nnjax.runs import config_json


def test_frequent_words_come_first_and_equals_in_their_own_order():
    vocabulary = Vocabulary.from_counts({"b": 2, "a": 2, "c": 5, "d": 1})
    assert vocabulary.words == ("c", "a", "b", "d")
    assert len(vocabulary) == 4


def test_rare_words_and_those_beyond_the_size_are_left_out():
    counts = {"a": 9, "b": 5, "c": 4, "d": 1}
    assert Vocabulary.from_counts(counts, minimum_count=4).words == ("a", "b", "c")
    small = Vocabulary.from_counts(counts, maximum_size=3, special=(UNKNOWN,))
    assert small.words == (UNKNOWN, "a", "b")
    assert small.encode(["a", "d", "b"]).tolist() == [1, 0, 2]


def test_special_words_have_ids_only_where_they_are():
    vocabulary = Vocabulary((UNKNOWN, START, END, "a"))
    assert (vocabulary.unknown, vocabulary.start, vocabulary.end) == (0, 1, 2)
    assert Vocabulary(("a",)).start is None


def test_a_special_word_that_the_text_has_too_is_there_once():
    assert Vocabulary.from_counts({UNKNOWN: 3, "a": 1}, special=(UNKNOWN,)).words == (UNKNOWN, "a")


@given(st.text(min_size=1))
def test_characters_are_decoded_exactly(text):
    vocabulary = Vocabulary.from_counts(Counter(text))
    ids = vocabulary.encode_text(text)
    assert ids.dtype == np.int32
    assert vocabulary.decode_text(ids) == text
    assert vocabulary.decode(ids) == list(text)


def test_decoding_leaves_out_padding_and_stops_at_the_end():
    vocabulary = Vocabulary((START, END, "a", "b"))
    assert vocabulary.decode([0, 2, 3, 1, 2, -1, -1]) == [START, "a", "b", END, "a"]
    assert vocabulary.decode_text(np.array([0, 2, 3, 1, 2, -1])) == "ab"


def test_a_word_it_does_not_have_is_refused():
    with pytest.raises(UserError, match="'z' is none of the 1 words of the vocabulary"):
        Vocabulary(("a",)).encode_text("az")


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.booleans())
def test_it_is_kept_in_a_file(tmp_path_factory, words, lower_case):
    vocabulary = Vocabulary(tuple(words), Tokeniser("words", lower_case))
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded == vocabulary
    assert loaded.fingerprint == vocabulary.fingerprint
    assert config_json.from_json(config_json.to_json(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    "other",
    [
        Vocabulary(("b", "a")),
        Vocabulary(("a", "b", "c")),
        Vocabulary(("a", "b"), Tokeniser("words")),
        Vocabulary(("a", "b"), Tokeniser(lower_case=True)),
    ],
)
def test_one_that_is_not_the_trained_model_s_is_refused(other):
    vocabulary = Vocabulary(("a", "b"))
    vocabulary.check(Vocabulary(("a", "b")))
    with pytest.raises(UserError, match=rf"{other.fingerprint}\) is not that of the trained model"):
        other.check(vocabulary)


def test_empty_ones_and_words_given_twice_are_refused():
    with pytest.raises(UserError, match="the vocabulary is empty; give a text"):
        Vocabulary(())
    with pytest.raises(UserError, match="empty: there is no text"):
        Vocabulary.from_counts({})
    with pytest.raises(UserError, match="empty: none of 2 words is seen 5 times"):
        Vocabulary.from_counts({"a": 1, "b": 4}, minimum_count=5)
    with pytest.raises(UserError, match="1 words has no place for any beside 1 special"):
        Vocabulary.from_counts({"a": 1}, maximum_size=1, special=(UNKNOWN,))
    with pytest.raises(UserError, match="has the word 'a' twice"):
        Vocabulary(("a", "b", "a"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"words": 1}', '{"words": [1], "tokeniser": {}}']
)
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "vocabulary.json"
    path.write_text(text)
    with pytest.raises(UserError, match="damaged or no vocabulary"):
        Vocabulary.load(path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        Vocabulary.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(256, np.uint8), (257, np.uint16), (2**16, np.uint16), (2**16 + 1, np.int32)],
)
def test_ids_are_stored_in_the_smallest_type(size, dtype):
    ids = smallest(np.array([0, size - 1], np.int32), size)
    assert ids.dtype == dtype
    assert ids.tolist() == [0, size - 1]
