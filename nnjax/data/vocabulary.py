"""Vocabularies: the words that a model knows, each with its id."""

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnjax.data.words import Tokeniser
from nnjax.errors import UserError

UNKNOWN = "<unknown>"
"""The word in place of every word that the vocabulary does not have."""

START = "<start>"
"""The first word that a decoder reads."""

END = "<end>"
"""The last word that a decoder writes."""


@dataclass(frozen=True)
class Vocabulary:
    """Words, whose ids are their places; characters are words of one letter.

    There is no word for padding: arrays hold a negative id where a text has ended.

    Example:
      >>> from nnjax.data import Vocabulary
      >>> vocabulary = Vocabulary(("<unknown>", "a", "b", " "))
      >>> vocabulary.encode_text("a bc").tolist()
      [1, 3, 2, 0]
      >>> vocabulary.decode_text([1, 3, 2, -1])
      'a b'

    Attributes:
      words: all different; they may contain the special words ``<unknown>``, ``<start>`` and
        ``<end>``.
      tokeniser: cuts a text into these words.

    Raises:
      UserError: there is no word, or a word occurs twice.
    """

    words: tuple[str, ...]
    tokeniser: Tokeniser = field(default_factory=Tokeniser)

    def __post_init__(self):
        if not self.words:
            raise UserError("the vocabulary is empty; give a text that holds words")
        if len(self._ids) < len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise UserError(f"the vocabulary has the word '{twice}' twice")

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        minimum_count: int = 1,
        maximum_size: int | None = None,
        special: tuple[str, ...] = (),
        tokeniser: Tokeniser | None = None,
    ) -> "Vocabulary":
        """The most frequent words, most frequent first; equally frequent ones in order of the word.

        Args:
          counts: the number of occurrences of each word.
          minimum_count: rarer words are left out.
          maximum_size: of the vocabulary, special words included; None takes all words.
          special: words that come first whatever their counts.
          tokeniser: which cut the text into these words; None cuts into characters.

        Raises:
          UserError: no word is left.
        """
        if maximum_size is not None and maximum_size <= len(special):
            raise UserError(
                f"a vocabulary of {maximum_size} words has no place for any beside "
                f"{len(special)} special ones; allow more"
            )
        frequent = [(word, count) for word, count in counts.items() if count >= minimum_count]
        ranked = sorted(frequent, key=lambda pair: (-pair[1], pair[0]))
        ordinary = [word for word, _ in ranked if word not in special]
        if not ordinary:
            why = f"none of {len(counts)} words is seen {minimum_count} times; lower minimum_count"
            raise UserError(f"the vocabulary is empty: {why if counts else 'there is no text'}")
        words = (*special, *ordinary)[:maximum_size]
        return cls(words, Tokeniser() if tokeniser is None else tokeniser)

    def __len__(self) -> int:
        return len(self.words)

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    @property
    def unknown(self) -> int | None:
        """The id of words that are not in the vocabulary; None if such words are refused."""
        return self._ids.get(UNKNOWN)

    @property
    def start(self) -> int | None:
        """The id that a decoder reads first; None if there is none."""
        return self._ids.get(START)

    @property
    def end(self) -> int | None:
        """The id that a decoder writes last; None if there is none."""
        return self._ids.get(END)

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """The ids of words, int32 (words,).

        Raises:
          UserError: a word is not in the vocabulary, and that has no ``<unknown>``.
        """
        words = words if isinstance(words, str | list | tuple) else list(words)
        other = -1 if self.unknown is None else self.unknown
        find = self._ids.get
        ids = np.fromiter((find(word, other) for word in words), np.int32, len(words))
        if self.unknown is None and (ids < 0).any():
            word = words[int(np.argmax(ids < 0))]
            raise UserError(
                f"{word!r} is none of the {len(self)} words of the vocabulary, and that has no "
                f"{UNKNOWN}"
            )
        return ids

    def decode(self, ids: ArrayLike) -> list[str]:
        """The words of ids (n,); negative ids are padding and are left out."""
        return [self.words[place] for place in np.asarray(ids).tolist() if place >= 0]

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of the words of a text, int32 (words,); errors are those of :meth:`encode`."""
        return self.encode(self.tokeniser.split(text))

    def decode_text(self, ids: ArrayLike) -> str:
        """The text of ids (n,), up to an ``<end>`` and without ``<start>``."""
        words = self.decode(ids)
        words = words[: words.index(END)] if END in words else words
        return self.tokeniser.join(word for word in words if word != START)

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that depend on the words, their order and the tokeniser."""
        return hashlib.sha256(self._json().encode()).hexdigest()[:16]

    def check(self, trained: "Vocabulary") -> None:
        """Checks that this is the vocabulary that a model was trained with.

        Raises:
          UserError: the two vocabularies differ.
        """
        if self.fingerprint != trained.fingerprint:
            raise UserError(
                f"the vocabulary of the data ({len(self)} words, {self.fingerprint}) is not "
                f"that of the trained model ({len(trained)} words, {trained.fingerprint}); "
                "give the text and options of the training"
            )

    def save(self, path: Path) -> None:
        """Writes a JSON file."""
        path.write_text(self._json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads a file that :meth:`save` wrote.

        Raises:
          UserError: the file is missing or damaged.
        """
        try:
            saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            words, tokeniser = tuple(saved["words"]), Tokeniser(**saved["tokeniser"])
        except OSError as error:
            raise UserError(f"the vocabulary {path} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path} is damaged or no vocabulary") from None
        if not all(isinstance(word, str) for word in words):
            raise UserError(f"{path} is damaged or no vocabulary")
        return cls(words, tokeniser)

    def _json(self) -> str:
        fields = {"words": list(self.words), "tokeniser": asdict(self.tokeniser)}
        return json.dumps(fields, ensure_ascii=False, indent=0)


def smallest(ids: np.ndarray, size: int) -> np.ndarray:
    """Non-negative ids in the smallest type for a vocabulary: uint8, uint16 or int32.

    Args:
      ids: integers.
      size: of the vocabulary.
    """
    return ids.astype(np.uint8 if size <= 2**8 else np.uint16 if size <= 2**16 else np.int32)
