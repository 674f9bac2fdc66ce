"""How text is cut into words, and the preprocessing of recipes step by step."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import words
from nnjax.data.words import Tokeniser


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("the man's T-shirt", ["the", "man's", "T-shirt"]),
        ("a  b\n\nc\t", ["a", "b", "\n", "\n", "c"]),
        ("weiße Männer.", ["weiße", "Männer", "."]),
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा", "।"]),
        ("cafe\u0301 noir", ["cafe\u0301", "noir"]),
        ("-x- 'y'", ["-", "x", "-", "'", "y", "'"]),
        ("", []),
    ],
)
def test_words_are_cut_at_space_and_round_punctuation(text, expected):
    assert Tokeniser("words").split(text) == expected


def test_words_between_spaces_are_left_whole():
    tokeniser = Tokeniser("spaces", lower_case=True)
    assert tokeniser.split(" The U.S.\tand/or 1,000 ") == ["the", "u.s.", "and/or", "1,000"]
    assert tokeniser.join(["the", "u.s.", "."]) == "the u.s. ."


def test_characters_are_the_text_itself():
    assert list(Tokeniser("characters", lower_case=True).split("A b")) == ["a", " ", "b"]


def test_words_are_joined_as_one_writes():
    tokeniser = Tokeniser("words")
    text = "Well, (said he) it is.\nNo!"
    assert tokeniser.join(tokeniser.split(text)) == text


@given(st.text(st.sampled_from("ab1 ,.'-\n(é"), max_size=30))
def test_joining_and_cutting_again_gives_no_other_letters(text):
    tokeniser = Tokeniser("words")
    joined = tokeniser.join(tokeniser.split(text))
    assert "".join(joined.split()) == "".join(text.split())


def test_each_step_of_the_recipes():
    assert words.space_punctuation("1/2 cup (hot), egg-white") == "1 / 2 cup  ( hot )  ,  egg-white"
    assert words.space_newlines("a\nb") == "a \n b"
    assert words.space_dashes("egg-white -- a---b") == "egg - white  --  a --- b"
    assert words.lower_case("Egg") == "egg"
    assert words.split_on_spaces("a  b ") == ["a", "", "b", ""]
    assert words.drop_spaces(["a", "", "\n"]) == ["a", "\n"]
    assert words.drop_rare(["a", "b", "a", "c", "c"], 2) == ["a", "a", "c", "c"]


def test_recipes_are_cut_by_all_steps_together():
    text = "  Egg-White Omelet\n--------  ----\n  1/2  cup   Milk -- hot\n"
    expected = ["egg", "-", "white", "omelet", "\n", "--------", "----", "\n",
                "1", "/", "2", "cup", "milk", "--", "hot", "\n"]  # fmt: skip
    assert words.recipe_words(text) == expected
    assert Tokeniser("recipe").split(text) == expected
    assert Tokeniser("recipe").join(expected[:8]) == "egg - white omelet\n-------- ----\n"


@given(st.text(st.sampled_from(string.printable)))
def test_words_of_recipes_hold_one_kind_of_characters(text):
    for word in words.recipe_words(text):
        marks = [one for one in word if one in string.punctuation]
        assert word == "\n" or not marks or len(word) == 1 or set(word) == {"-"}
        assert word == word.lower()
