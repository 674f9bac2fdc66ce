"""Words: cuts texts into the words of a vocabulary, and joins words to a text again."""

import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nnjax.data import spacing

Level = Literal["characters", "words", "spaces", "recipe"]

JOINERS = "\u200c\u200d"
"""Invisible characters that shape the letters beside them, in Indic scripts and Arabic."""


@dataclass(frozen=True)
class Tokeniser:
    """Cuts a text into words, and joins words to a text.

    Attributes:
      level: "characters" takes every character as a word; "words" cuts at white space and round
        punctuation, a newline being a word; "spaces" cuts at white space only; "recipe" is
        :func:`recipe_words`.
      lower_case: converts all letters to lower case first.

    Example:
      >>> from nnjax.data import Tokeniser
      >>> tokeniser = Tokeniser("words")
      >>> tokeniser.split("It costs $5.50.")
      ['It', 'costs', '$', '5', '.', '50', '.']
      >>> tokeniser.join(['It', 'costs', '$', '5', '.', '50', '.'])
      'It costs $5.50.'
    """

    level: Level = "characters"
    lower_case: bool = False

    def split(self, text: str) -> Sequence[str]:
        """The words of a text; at level "characters" the text itself, which is their sequence."""
        if self.lower_case:
            text = text.lower()
        if self.level == "characters":
            return text
        if self.level == "spaces":
            return text.split()
        return _pattern().findall(text) if self.level == "words" else recipe_words(text)

    def join(self, words: Iterable[str]) -> str:
        """The text of words, with spaces where people write them; exact for characters.

        See :mod:`nnjax.data.spacing` for the rules at level "words".
        """
        if self.level == "characters":
            return "".join(words)
        if self.level == "spaces":
            return " ".join(words)
        if self.level == "recipe":
            return " ".join(words).replace(" \n", "\n").replace("\n ", "\n")
        return spacing.write(words)


@functools.cache
def _pattern() -> re.Pattern[str]:
    """A newline; letters and digits, also round an apostrophe or hyphen; a mark of punctuation.

    The accents and vowel signs that Unicode has as characters of their own belong to the letter
    before them.
    """
    # No script has signs beyond these planes.
    signs = [chr(code) for code in range(0x20000)]
    signs = "".join(sign for sign in signs if unicodedata.category(sign) in ("Mn", "Mc"))
    # All signs come after the Latin letters: this check is fast, and most texts need no other.
    sign = rf"(?![\x00-\u02ff])[{signs}{JOINERS}]"
    return re.compile(rf"\n|\w+(?:['\u2019-]\w+|(?:{sign})+\w*)*|[^\w\s]")


def space_punctuation(text: str) -> str:
    """Puts spaces round every mark of punctuation but dashes."""
    marks = re.escape(string.punctuation.replace("-", ""))
    return re.sub(f"[{marks}]", r" \g<0> ", text)


def space_newlines(text: str) -> str:
    """Puts spaces round every newline, so that it becomes a word."""
    return text.replace("\n", " \n ")


def space_dashes(text: str) -> str:
    """Puts spaces round every run of dashes, so that a run of any length becomes one word."""
    return re.sub(r"-+", r" \g<0> ", text)


def lower_case(text: str) -> str:
    """Converts all letters to lower case."""
    return text.lower()


def split_on_spaces(text: str) -> list[str]:
    """Cuts a text at every space; there is an empty word between two adjacent spaces."""
    return text.split(" ")


def drop_spaces(words: Iterable[str]) -> list[str]:
    """Drops the empty words that adjacent spaces leave."""
    return [word for word in words if word]


def drop_rare(words: Sequence[str], minimum_count: int) -> list[str]:
    """Drops the words that occur fewer than ``minimum_count`` times in the whole text."""
    counts = Counter(words)
    return [word for word in words if counts[word] >= minimum_count]


RECIPE_STEPS: tuple[Callable[[str], str], ...] = (
    space_punctuation,
    space_newlines,
    space_dashes,
    lower_case,
)
"""The steps that prepare a text of recipes, in this order, before it is split."""


def recipe_words(text: str) -> list[str]:
    """Cuts a text of recipes into words, by :data:`RECIPE_STEPS` and then at spaces.

    The preprocessing of the SciNet course on neural networks, up to its last step,
    :func:`drop_rare`.
    """
    for step in RECIPE_STEPS:
        text = step(text)
    return drop_spaces(split_on_spaces(text))
