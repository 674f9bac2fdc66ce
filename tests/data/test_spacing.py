# ruff: noqa: RUF001 - the marks that look like others are what is tested.
"""Words are put together as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import spacing
from nnjax.data.words import Tokeniser

TOKENISER = Tokeniser("words")

SENTENCES = """
it costs 3.5 million, version 2.0.1 is out
about 1,000 people ran, 1,234,567 watched
$5.50 each: $5, $10, and $15.
He owes $1,000,000.00, or £3.2bn, or 5 €, or US$7.
at 10:30 we left, and at 10:30pm we came
It is 7% more, or 7.5%; a ratio of 16:9.
In 1999, 5 people came; in 2000, 10: no more.
1, 2 and 3; no. 5 and p. 3
it is -5 degrees, 20°C, or -7.5
pages 3-5 of 1990–2000, $3.50-$4.00 or 5%-10%
a .22 calibre, 18+ only, 3 + 4 = 7
7,5 km sind mehr als €5,50
the girls' team won
the boys' and girls' teams
the President's (and others') views
James' book, Marx' works and the dogs' ears
don't, can't, it's the dog's bone at 5 o'clock, goin' home
rock 'n' roll in the '90s and '80s, not '99
'Quoted' at the start.
He said 'hello' and left.
He says 'hello' and left.
She reads 'The girls' team' aloud.
She asked, "What's 'this'?"
"'Tis true," he said.
They said, 'We won.' Then left.
He is 5'10" tall, on a 6" board
"Well," she said, "it's mine."
the "thumbs up" sign and the "big" one
She said: "No." ("Yes") "(Yes)"
“Curly quotes,” he said, “and ‘inner’ ones.”
the girls’ team didn’t win ’90s music
„Hallo“, sagte er. „Wie geht’s?“
«Hola» dijo. ¿Qué tal? ¡Bien!
an „Open“-Sign, a U.S.-led team
[sic] {braces} (and (nested) ones), word(s)
a man - tall and thin - walks
a man – tall – walks
a man—tall and thin—walks
two- and three-year-olds
Obst- und Gemüsehändler mit Schutzhelm und -handschuhe
Wait... what?! No!! Really?
the U.S. and the U.K. agree, e.g. at 5 p.m. or 6 a.m. today
John F. Kennedy met Mr. T. and Dr. Who.
AT&T, R&B and Tom & Jerry
stone &amp; tile
mail me@home.com or see www.example.com
#1 and @home, 50 km/h and/or 1/2
你好，世界。
हिन्दी भाषा। और
""".strip().split("\n")


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_written_as_it_was_read(sentence):
    assert TOKENISER.join(TOKENISER.split(sentence)) == sentence


def test_lower_case_changes_no_space():
    tokeniser = Tokeniser("words", lower_case=True)
    for sentence in SENTENCES:
        small = sentence.lower()
        if "at&t" not in small:  # "a&b" and "a & b" are told apart by their capitals.
            assert tokeniser.join(tokeniser.split(sentence)) == small


NOUN = st.sampled_from(
    ["man", "dog", "girl", "street", "team", "Berlin", "T-shirt", "café", "house"]
)
NUMBER = st.one_of(
    st.integers(0, 999).map(str),
    st.integers(1000, 10**9).map("{:,}".format),
    st.floats(0, 99).map("{:.1f}".format),
    st.integers(0, 100).map("{}%".format),
    st.floats(0, 5000).map("${:,.2f}".format),
    st.tuples(st.integers(1, 12), st.integers(0, 59)).map("{0[0]}:{0[1]:02}".format),
)
PHRASE = st.one_of(
    NOUN,
    st.tuples(NUMBER, NOUN).map(" ".join),
    NOUN.map("({})".format),
    NOUN.map('"{}"'.format),
    NOUN.map("the {}'s".format),
    st.sampled_from(["don't", "it's", "the girls' team", "a well-known man", "men and/or women"]),
)
SENTENCE = st.builds(
    "{}{}".format,
    st.lists(st.tuples(PHRASE, st.sampled_from([" ", ", ", "; ", " and "])), min_size=1).map(
        lambda parts: "".join(phrase + joint for phrase, joint in parts) + "he went"
    ),
    st.sampled_from([".", "!", "?", "..."]),
)


@given(SENTENCE)
def test_ordinary_sentences_come_back(sentence):
    assert TOKENISER.join(TOKENISER.split(sentence)) == sentence


@given(st.text(st.sampled_from("ab1 ,.'-\n(é\"’“”„‘‚«»$%:;/@#&+–—°~s5)!?。"), max_size=25))
def test_written_words_are_cut_into_the_same_words(text):
    words = list(TOKENISER.split(text))
    assert TOKENISER.split(TOKENISER.join(words)) == words


MARKS = [*"'\"’“”.,:-–()$%&\n", "dogs", "says", "the", "10", "000", "n", "s", "A"]


@settings(max_examples=50)
@given(st.lists(st.sampled_from(MARKS), max_size=90), st.integers(0, 60))
def test_later_words_than_those_looked_at_change_nothing(words, place):
    known = spacing.write(words[: place + spacing.LOOK_AHEAD])
    letters = sum(map(len, words[:place]))
    assert first(known, letters) == first(spacing.write(words), letters)


def first(text, letters):
    """The text up to a number of characters that are no spaces."""
    places = [place for place, one in enumerate(text) if one != " "]
    return text[: places[letters - 1] + 1] if letters else ""
