"""Python code with the kind of every character: a tagging task, aligned many to many."""

import builtins
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.text.files import is_folder, library_paths
from nnjax.data.vocabulary import UNKNOWN, Vocabulary
from nnjax.errors import UserError
from nnjax.traced import check_number

KINDS = ("space", "keyword", "builtin", "name", "number", "string", "comment", "operator")
"""The kinds of characters, as an editor colours them."""

BUILTINS = frozenset(dir(builtins))

FSTRINGS = tuple(
    kind
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if (kind := getattr(tokenize, name, None)) is not None
)
"""Token types of formatted strings; Python 3.12 and later divide such a string into tokens."""


@dataclass(frozen=True, kw_only=True)
class PythonCode:
    """Pieces of Python source files, each character tagged with its kind by Python's own tokenizer.

    No file has pieces in two splits.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import PythonCode
      >>> _ = Path("one.py").write_text("x = 1  # one")
      >>> data = PythonCode(
      ...     path=Path("."), length=7, train=1, validation=0, test=0, minimum_count=1
      ... ).load()
      >>> [data.classes[kind] for kind in data.split("train")["targets"][0]]
      ['name', 'space', 'operator', 'space', 'number', 'space', 'space']

    Attributes:
      path: a folder of Python files; None takes the standard library's own.
      length: number of characters of a piece.
      train: number of training pieces.
      validation: number of validation pieces.
      test: number of test pieces.
      minimum_count: rarer characters become ``<unknown>``.
    """

    path: Path | None = None
    length: int = 100
    train: int = 20_000
    validation: int = 2_000
    test: int = 2_000
    minimum_count: int = 10

    def load(self) -> Dataset:
        """Inputs (n, length) ids of characters, targets (n, length) kinds, -1 past the end.

        Raises:
          UserError: an option is out of range, or there is too little code.
        """
        sizes = {"test": self.test, "validation": self.validation, "train": self.train}
        check_number("length", self.length, at_least=1)
        for name, size in sizes.items():
            check_number(f"number of {name} pieces", size, at_least=int(name == "train"))
        pieces = self._pieces(sizes)
        counts = Counter("".join(text for text, _ in pieces["train"]))
        vocabulary = Vocabulary.from_counts(
            counts, minimum_count=self.minimum_count, special=(UNKNOWN,)
        )
        splits = {
            name: _arrays(pieces[name], vocabulary, self.length)
            for name in ("train", "validation", "test")
            if pieces[name]
        }
        return Dataset(splits, KINDS, None, vocabulary=vocabulary)

    def _pieces(self, sizes: Mapping[str, int]) -> dict[str, list[tuple[str, np.ndarray]]]:
        """Pieces of each split; the splits are filled in turn, each beginning with a new file."""
        files = iter(self._tagged_files())
        pieces: dict[str, list[tuple[str, np.ndarray]]] = {name: [] for name in sizes}
        for name, size in sizes.items():
            while len(pieces[name]) < size:
                tagged = next(files, None)
                if tagged is None:
                    raise UserError(
                        f"there is code for {sum(map(len, pieces.values())):,} pieces of "
                        f"{self.length} characters, fewer than asked for; lower --data.train"
                    )
                text, kinds = tagged
                starts = range(0, len(text), self.length)
                cuts = [slice(start, start + self.length) for start in starts]
                pieces[name] += [(text[cut], kinds[cut]) for cut in cuts]
            del pieces[name][size:]
        return pieces

    def _tagged_files(self) -> Iterator[tuple[str, np.ndarray]]:
        """The text and the kinds of every file that Python can tokenise."""
        for path in library_paths() if self.path is None else _paths(self.path):
            try:
                with tokenize.open(path) as file:
                    text = file.read()
                kinds = kinds_of(text)
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror}") from None
            except (tokenize.TokenError, SyntaxError, UnicodeError):
                continue
            yield text, kinds


def _paths(folder: Path) -> list[Path]:
    found = folder.rglob("*.py") if is_folder(folder) else ()
    paths = sorted(path for path in found if path.is_file())
    if not paths:
        raise UserError(f"{folder} is no folder with files *.py; give one with --data.path")
    return paths


def kinds_of(text: str) -> np.ndarray:
    """The kind of every character of Python code, int8 (characters,), places in :data:`KINDS`.

    Raises:
      tokenize.TokenError, SyntaxError: the text is not Python code.
    """
    # Lines as the tokenizer counts them: str.splitlines would also end a line at a form feed.
    begins = np.concatenate([[0], np.cumsum([len(line) for line in io.StringIO(text)])])
    kinds = np.zeros(len(text), np.int8)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = _kind(token)
        if kind is not None:
            first, last = (begins[row - 1] + column for row, column in (token.start, token.end))
            kinds[first:last] = KINDS.index(kind)
    return kinds


def _kind(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "keyword"
        return "builtin" if token.string in BUILTINS else "name"
    if token.type == tokenize.STRING or token.type in FSTRINGS:
        return "string"
    simple = {tokenize.NUMBER: "number", tokenize.COMMENT: "comment", tokenize.OP: "operator"}
    return simple.get(token.type)


def _arrays(pieces: list[tuple[str, np.ndarray]], vocabulary: Vocabulary, length: int) -> Batch:
    inputs = np.full((len(pieces), length), -1, np.int16)
    targets = np.full((len(pieces), length), -1, np.int8)
    for row, (text, kinds) in enumerate(pieces):
        inputs[row, : len(text)] = vocabulary.encode(text)
        targets[row, : len(text)] = kinds
    return {"inputs": inputs, "targets": targets}
