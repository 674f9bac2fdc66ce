"""Words: how a text is cut into the words of a vocabulary, and how words are put together again."""

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
"""Shape the letters beside them, in Indic scripts and Arabic."""


@dataclass(frozen=True)
class Tokeniser:
    """How a text is cut into words.

    Attributes:
      level: "characters" takes every character as a word; "words" cuts at white space and round
        punctuation, a newline being a word; "spaces" cuts at white space alone; "recipe" is
        :func:`recipe_words`.
      lower_case: makes all letters small before.
    """

    level: Level = "characters"
    lower_case: bool = False

    def split(self, text: str) -> Sequence[str]:
        """Cuts a text into words. Characters are given as the text itself, a sequence of them."""
        if self.lower_case:
            text = text.lower()
        if self.level == "characters":
            return text
        if self.level == "spaces":
            return text.split()
        return _pattern().findall(text) if self.level == "words" else recipe_words(text)

    def join(self, words: Iterable[str]) -> str:
        """Puts words together as a text that reads well; of characters, exactly."""
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
    # The first signs come after Latin letters: to say so keeps most texts from the slow search.
    sign = rf"(?![\x00-\u02ff])[{signs}{JOINERS}]"
    return re.compile(rf"\n|\w+(?:['\u2019-]\w+|(?:{sign})+\w*)*|[^\w\s]")


def space_punctuation(text: str) -> str:
    """Puts spaces round every mark of punctuation but dashes."""
    marks = re.escape(string.punctuation.replace("-", ""))
    return re.sub(f"[{marks}]", r" \g<0> ", text)


def space_newlines(text: str) -> str:
    """Puts spaces round every newline, which makes it a word."""
    return text.replace("\n", " \n ")


def space_dashes(text: str) -> str:
    """Puts spaces round every run of dashes: a longer one is one word, as a single one is."""
    return re.sub(r"-+", r" \g<0> ", text)


def lower_case(text: str) -> str:
    """Makes all letters small."""
    return text.lower()


def split_on_spaces(text: str) -> list[str]:
    """Cuts a text at single spaces; what was between two of them is an empty word."""
    return text.split(" ")


def drop_spaces(words: Iterable[str]) -> list[str]:
    """Drops the empty words that repeated spaces leave."""
    return [word for word in words if word]


def drop_rare(words: Sequence[str], minimum_count: int) -> list[str]:
    """Drops the words that are seen fewer than ``minimum_count`` times in the whole text."""
    counts = Counter(words)
    return [word for word in words if counts[word] >= minimum_count]


RECIPE_STEPS: tuple[Callable[[str], str], ...] = (
    space_punctuation,
    space_newlines,
    space_dashes,
    lower_case,
)
"""What is done to the text of recipes, in this order, before it is split."""


def recipe_words(text: str) -> list[str]:
    """Cuts a text of recipes into words, by :data:`RECIPE_STEPS` and then at spaces.

    The preprocessing of the SciNet course on neural networks, up to its last step,
    :func:`drop_rare`.
    """
    for step in RECIPE_STEPS:
        text = step(text)
    return drop_spaces(split_on_spaces(text))
