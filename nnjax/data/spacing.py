# ruff: noqa: RUF001 - the marks that look like others are what this file is about.
"""Spaces between words: where people write a space round punctuation, and where they write none.

A tokeniser that cuts at white space and round punctuation loses which marks of punctuation had a
space beside them. The rules of this file restore those spaces as English, and mostly as German,
is written: ``$5.50``, ``1,000``, ``10:30``, ``7%``, ``the girls' team``, ``he said "yes"``.

Where two spellings are in use, the rules choose the more frequent one: "in 5. 3" becomes "in 5.3".
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LOOK_AHEAD = 30
"""A space depends on at most this many later words: the search for a closing quotation mark."""

SPACED_MARKS = frozenset("&*=<>|+–†‡•§¶\\-")
"""Marks with a space on both sides, unless a rule of their own says otherwise."""

JOINED_MARKS = frozenset("/—‐‑·")
"""Marks with a space on neither side."""

CURRENCY_PREFIXES = frozenset({"US", "us", "A", "C", "NZ", "HK"})
"""Letters before a currency sign that belong to it, as in US$."""

DECIMAL_UNITS = frozenset(
    [
        "%", "€", "°", "kg", "g", "km", "m", "cm", "mm", "km²", "m²", "kmh", "Euro", "Euros", "Uhr",
        "Meter", "Metern", "Kilometer", "Grad", "Prozent", "Millionen", "Milliarden", "Liter",
        "Stunden",
    ]
)  # fmt: skip
"""Words after which a number such as "7,5" is a decimal fraction with a comma, as in German."""

CONTRACTED_ENDS = frozenset({"s", "d", "ll", "re", "ve", "t", "m"})
"""Ends of contracted words, which follow an apostrophe."""

SHORTENED_WORDS = frozenset({"em", "tis", "twas", "til", "cause", "bout", "round", "n"})
"""Words whose first letters an apostrophe replaces."""

QUOTING_WORDS = frozenset(
    [
        "says", "reads", "is", "was", "as", "states", "means", "asks", "yells", "shouts", "spells",
        "displays", "words", "this", "his", "its", "answers", "replies", "whispers", "writes",
        "becomes", "has",
    ]
)  # fmt: skip
"""Words that end in s and stand before a quotation rather than before a possessive apostrophe."""

DOMAIN_ENDS = frozenset({"com", "org", "net", "edu", "gov"})

SHORT_BEFORE_DECIMAL = frozenset(["a", "an", "the", "of", "about", "at", "with", "by", "to", "is"])
"""Words that end no sentence, so that a point between one of them and a number begins a decimal."""

SUSPENDING_WORDS = frozenset({"und", "oder", "bzw", "sowie", "bis"})
"""German words between the parts of "Obst- und Gemüsehändler"."""

SUSPENDED_PREFIXES = frozenset(
    [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "short", "long",
        "pre", "post", "mid", "first", "second", "third", "left", "right", "upper", "lower",
        "inner", "outer", "full", "part", "half", "over", "under", "non",
    ]
)  # fmt: skip
"""English words that often stand before a suspended hyphen, as in "two- and three-year-olds"."""

ENTITIES = frozenset({"amp", "quot", "lt", "gt", "apos", "nbsp"})
"""Names of HTML entities, which some corpora hold."""

PARTNERS = {"“": "„", "”": "“", "’": "‘", "‘": "‚", "»": "«", "«": "»"}
"""The mark that opens the quotation which a mark closes."""


class Sides(NamedTuple):
    """Whether no space is written before a word, and whether none is written after it."""

    joins_before: bool
    joins_after: bool


NEITHER, BEFORE, AFTER, BOTH = (
    Sides(False, False),
    Sides(True, False),
    Sides(False, True),
    Sides(True, True),
)


def write(words: Iterable[str]) -> str:
    """Writes words as a text, with spaces where people write them.

    Args:
      words: of the text, marks of punctuation and newlines being words of their own.

    Returns:
      The text. What it holds up to a word depends on that word, on those before it and on the next
      :data:`LOOK_AHEAD` words alone.
    """
    words = list(words)
    opened: set[str] = set()
    text: list[str] = []
    joins = True
    for place, word in enumerate(words):
        if word == "\n" and place and words[place - 1] == "\n":
            # A mark that a paragraph leaves open would turn all later ones round.
            opened.clear()
        sides = _sides(words, place, opened)
        if not joins and not sides.joins_before:
            text.append(" ")
        text.append(word)
        joins = sides.joins_after
    return "".join(text)


def _sides(words: Sequence[str], place: int, opened: set[str]) -> Sides:
    """On which sides of a word no space is written.

    Args:
      words: of the text.
      place: of the word.
      opened: quotation marks that are not closed yet; this function adds and removes them.
    """
    word, before, after = words[place], _at(words, place - 1), _at(words, place + 1)
    if word == "\n":
        return BOTH
    if _is_word(word):
        return NEITHER
    if word in '"`“”„‚‘«»':
        return _quotation_mark(words, place, opened)
    if word in "'’":
        return _apostrophe(words, place, opened)
    if word == ".":
        return _point(words, place)
    if word == ",":
        return Sides(True, _is_thousands(before, after) or _is_decimal_comma(words, place))
    if word == ":":
        digits = re.fullmatch(r"\d\d?", before) and re.match(r"\d\d?(?!\d)", after)
        return Sides(True, bool(digits))
    if word in "-–":
        return _dash(words, place)
    if unicodedata.category(word) == "Sc":
        return Sides(before in CURRENCY_PREFIXES, _begins_with_digit(after))
    if word == "°":
        return Sides(True, after in ("C", "F", "c", "f"))
    if word == "#":
        return AFTER
    if word == "@":
        return Sides(_is_word(before) and _at(words, place + 2) == ".", True)
    if word == "&":
        return _ampersand(words, place)
    if word == "+":
        return Sides(
            before == "+"
            or (_is_letter(before) and after == "+")
            or (_ends_in_digit(before) and not _begins_with_digit(after)),
            after == "+" or (not _ends_in_digit(before) and _begins_with_digit(after)),
        )
    if word == "(":
        return Sides(after == "s" and _at(words, place + 2) == ")" and _is_word(before), True)
    if word == ";" and before in ENTITIES:
        return BEFORE
    return _other_mark(word, before, after)


def _other_mark(word: str, before: str, after: str) -> Sides:
    """The sides of a mark that has no rule of its own, by its kind in Unicode."""
    kind = unicodedata.category(word)
    if word in JOINED_MARKS or _is_full_width(word):
        return BOTH
    if word == "~" and _begins_with_digit(after):
        return AFTER
    if word in SPACED_MARKS:
        return Sides(word == before, word == after)
    if word in "¿¡" or kind in ("Ps", "Pi"):
        return AFTER
    if kind in ("Pe", "Pf", "Po") or word in "™®":
        return BEFORE
    return NEITHER


def _point(words: Sequence[str], place: int) -> Sides:
    """A full stop, a decimal point, or the point of an abbreviation or of an address."""
    before, after, second = (_at(words, place + step) for step in (-1, 1, 2))
    if not _ends_in_digit(before) and re.fullmatch(r"\d+", after):
        starts = before in ("", "\n") or before.lower() in SHORT_BEFORE_DECIMAL
        return AFTER if starts else BEFORE
    decimal = _ends_in_digit(before) and _begins_with_digit(after)
    initial = _is_letter(before) or before == "Ph"
    abbreviation = initial and _is_letter(after) and second == "."
    address = _is_word(before) and (after in DOMAIN_ENDS or before == "www")
    return Sides(True, decimal or abbreviation or address)


def _dash(words: Sequence[str], place: int) -> Sides:
    """A hyphen of its own, a minus sign, or a dash."""
    word, before, after = words[place], _at(words, place - 1), _at(words, place + 1)
    if word in (before, after):
        return Sides(word == before, word == after)
    if _ends_in_digit(before) and _begins_with_digit(after):
        return BOTH if word == "–" else NEITHER
    if word == "–":
        return NEITHER
    if before == "%" and _begins_with_digit(after):
        return BOTH
    if _ends_in_digit(before) and _is_currency(after):
        return BOTH
    # "Open"-Anzeige, (non)-stop
    if before in ("”", "“", '"', ")") and _is_word(after):
        return BOTH
    # U.S.-led
    if before == "." and _is_letter(_at(words, place - 2)) and _at(words, place - 3) == ".":
        return BOTH
    # Schutzhelm und -handschuhe; it is -5 degrees
    if _begins_with_digit(after) or (before in SUSPENDING_WORDS and _is_word(after)):
        return AFTER
    suspended = (_is_word(before) and after in SUSPENDING_WORDS) or (
        (_ends_in_digit(before) or before.lower() in SUSPENDED_PREFIXES)
        and after in ("and", "or", "to", ",")
    )
    return BEFORE if suspended else NEITHER


def _ampersand(words: Sequence[str], place: int) -> Sides:
    """The sign in "R&B" and "AT&T", the one in "Tom & Jerry", or the first of an HTML entity."""
    before, after = _at(words, place - 1), _at(words, place + 1)
    if after in ENTITIES and _at(words, place + 2) == ";":
        return AFTER
    ends = (before.rpartition("-")[2], after.partition("-")[0])
    initials = all(map(_is_letter, ends))
    capitals = all(one.isupper() and len(one) < 4 for one in ends)
    return BOTH if initials or capitals else NEITHER


def _quotation_mark(words: Sequence[str], place: int, opened: set[str]) -> Sides:
    """A mark that opens a quotation, or closes one."""
    word, before = words[place], _at(words, place - 1)
    if word in '"`':
        if word in opened:
            opened.discard(word)
            return BEFORE
        if word == '"' and _ends_in_digit(before) and _measures(words, place):
            return BEFORE  # inches
        opened.add(word)
        return AFTER
    if PARTNERS.get(word) in opened:
        opened.discard(PARTNERS[word])
        return BEFORE
    if word == "”" or (word == "»" and before not in ("", "\n") and not _later(words, place, "«")):
        return BEFORE
    opened.add(word)
    return AFTER


def _apostrophe(words: Sequence[str], place: int, opened: set[str]) -> Sides:
    """An apostrophe, a quotation mark of the same shape, or the sign of feet."""
    word, before, after = words[place], _at(words, place - 1), _at(words, place + 1)
    if word == "’" and "‘" in opened:
        opened.discard("‘")
        return BEFORE
    if after in CONTRACTED_ENDS and before not in ("", "\n"):
        return BOTH if before in ('"', "”", ")", ".", "%") else AFTER
    if after.lower() in SHORTENED_WORDS or re.fullmatch(r"\d0s|\d\d", after):
        follower = _at(words, place + 2)
        if not (word == "'" and follower == "'") and not _ends_in_digit(before):
            return AFTER
    if word == "’":
        return AFTER if before in ("", "\n") else BEFORE
    if word in opened:
        # Of an odd number of later marks one must close the quotation: this one is possessive.
        possessive = _may_be_possessive(before) and _is_word(after)
        if not (possessive and len(_later(words, place, word)) % 2):
            opened.discard(word)
        return BEFORE
    if _ends_in_digit(before) and _measures(words, place):
        return Sides(True, _begins_with_digit(after))  # feet
    if not _is_word(before) or _begins_quotation(words, place):
        opened.add(word)
        return AFTER
    return BEFORE


def _measures(words: Sequence[str], place: int) -> bool:
    """Whether a mark after a number means feet or inches: no later one could end a quotation."""
    later = _later(words, place, words[place])
    return not later or _ends_in_digit(words[later[0] - 1])


def _begins_quotation(words: Sequence[str], place: int) -> bool:
    """Whether an apostrophe after a word opens a quotation; else it belongs to that word."""
    later = _later(words, place, words[place])
    if not later:
        return False
    if not _may_be_possessive(words[place - 1]):
        return True
    # The next apostrophe closes the quotation, unless that apostrophe, too, may be possessive.
    return len(later) % 2 == 1 and not _may_be_possessive(words[later[0] - 1])


def _later(words: Sequence[str], place: int, word: str) -> list[int]:
    """The places where a word comes again, within the paragraph and the reach of the rules."""
    found = []
    for later in range(place + 1, min(len(words), place + LOOK_AHEAD)):
        if words[later] == word:
            found.append(later)
        if words[later] == "\n" == _at(words, later - 1):
            break
    return found


def _at(words: Sequence[str], place: int) -> str:
    """A word by its place; empty before the first and after the last."""
    return words[place] if 0 <= place < len(words) else ""


def _is_word(word: str) -> bool:
    """Whether it is a word, not a single mark of punctuation, a newline or nothing."""
    return len(word) > 1 or word.isalnum() or word == "_"


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha()


def _is_currency(word: str) -> bool:
    return len(word) == 1 and unicodedata.category(word) == "Sc"


def _is_full_width(word: str) -> bool:
    """Whether it is a mark of Chinese or Japanese, whose shape has its space within."""
    return "\u3000" <= word <= "\u303f" or "\uff01" <= word <= "\uff65"


def _is_thousands(before: str, after: str) -> bool:
    """Whether a comma between the two groups thousands: 1,000."""
    return bool(re.fullmatch(r"\d{1,3}", before) and re.match(r"\d{3}(?!\d)", after))


def _is_decimal_comma(words: Sequence[str], place: int) -> bool:
    """Whether the comma at a place is that of a fraction: 7,5 %, €5,50."""
    before, after = _at(words, place - 1), _at(words, place + 1)
    if not (_ends_in_digit(before) and re.fullmatch(r"\d\d?", after)):
        return False
    return _at(words, place + 2) in DECIMAL_UNITS or (
        len(after) == 2 and _at(words, place - 2) == "€"
    )


def _ends_in_digit(word: str) -> bool:
    return word[-1:].isdigit()


def _begins_with_digit(word: str) -> bool:
    return word[:1].isdigit()


def _may_be_possessive(word: str) -> bool:
    """Whether an apostrophe alone may make a word possessive: girls', Marx'."""
    sibilant = word[-1:].lower() in ("s", "x", "z")
    return sibilant and word.lower() not in QUOTING_WORDS and not {"'", "’"}.intersection(word)
