"""Tables of numbers in text files, their columns named by the first line."""

import functools
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from nnjax.data.checks import keeps_digits
from nnjax.data.dataset import SPLITS, Batch, Dataset
from nnjax.data.directory import given_path
from nnjax.data.splits import Splits
from nnjax.data.tables.csv_rows import read_rows
from nnjax.errors import UserError, nearest, warn

Task = Literal["auto", "classification", "regression"]

MOST_COLUMNS = 100_000
"""A table with more columns is refused: its delimiter, or its orientation, is hardly meant."""

FEWEST_ROWS = 10
"""In a table with fewer rows, distinct labels and rows that are numbered may be chance."""

SHOWN = 10
"""A message names at most this many columns or classes."""

UNNAMED = re.compile(r"|Unnamed: 0")
"""The name of pandas' column of row labels: none, or this where the table was saved twice."""

CURRENCY = r"(?:[$€£¥₹]|CHF|CNY|EUR|GBP|INR|JPY|USD)"

WRITTEN_NUMBERS = (
    (re.compile(r"[-+]?[\d.,\s]*\d[\d.,\s]*%"), "a percentage"),
    (re.compile(rf"[-+]?\s*{CURRENCY}\s*[-+]?[\d.,\s]*\d"), "a sum of money"),
    (re.compile(rf"[-+]?\d[\d.,\s]*{CURRENCY}"), "a sum of money"),
    (re.compile(r"\([\d.,]*\d\)"), "a negative number in parentheses"),
    (re.compile(r"[-+]?\d{1,3}([,'\u2019 \u00a0\u202f]\d{3})+(\.\d+)?"), "grouped in thousands"),
    (
        re.compile(r"[-+]?\d{1,3}([. \u00a0\u202f'\u2019]\d{3})*,\d+"),
        "with a decimal comma",
    ),
    (re.compile(r"[-+]?\d*,\d+"), "with a decimal comma"),
    (re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d.*)?|\d{4}[-/]\d{1,2}"), "a date"),
    (re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})( \d.*)?"), "a date"),
    (re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"), "a time of day"),
)
"""Numbers as people write them, and what to call them; a minus sign is ASCII by then."""

DASHES = str.maketrans("\u2212\u2012\u2013", "---")
"""The minus sign of typesetters, and dashes that take its place."""


@dataclass(frozen=True)
class Csv(Splits):
    r"""A table of numbers: a CSV file whose first line names the columns.

    A first line of numbers in which only labels are text is an example, not a header; then the
    columns are called 1, 2 and so on. A column of row numbers, as pandas writes it, is left out
    where it has no name, and refused where it has one, unless ``inputs`` names it: it gives the
    classes of sorted rows away.

    Numbers are read in 64 bits and stored in 32. With ``standardise`` a column that 32 bits cannot
    hold, such as a time in milliseconds, is stored as the difference from its mean (see
    ``offset`` of :class:`nnjax.data.Preprocess`).

    Attributes:
      path: the file, or a folder with ``train.csv`` and perhaps ``validation.csv``, ``test.csv``.
      targets: the columns to predict; none given is the last one.
      inputs: the columns to predict from; none given are all others.
      delimiter: what is between two columns.
      task: "classification" takes each distinct target as a class, "regression" takes targets as
        numbers; "auto" is a regression where all targets are numbers, and refuses targets that are
        numbers written for people, or nearly all different.
      seed: as in every source; by default 0, for the rows may be sorted.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Csv
      >>> rows = ["length,width,kind", "5.1,3.5,iris", "6.2,2.9,rose", "4.9,3.0,iris"]
      >>> _ = Path("plants.csv").write_text("\n".join(rows))
      >>> data = Csv(Path("plants.csv"), test=0, seed=None).load()
      >>> data.classes, data.split("train")["targets"].tolist()
      (('iris', 'rose'), [0, 1, 0])
    """

    path: Path = Path("table.csv")
    targets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    delimiter: str = ","
    task: Task = "auto"
    seed: int | None = field(default=0, kw_only=True)

    def load(self) -> Dataset:
        """Inputs (n, columns) float32; targets (n,) int32 classes, or (n,) or (n, k) float32.

        Raises:
          UserError: a file is missing, a line incomplete, a column unknown or not of numbers, or 32
            bits cannot tell the numbers of a column apart.
        """
        tables = {
            split: Table.read(path, self.delimiter)
            for split, path in _find_files(given_path(self.path)).items()
        }
        train = tables["train"]
        targets = self.targets or train.header[-1:]
        inputs = self.inputs or _find_inputs(train, targets, self.delimiter)
        for name, count in Counter((*inputs, *targets)).items():
            if count > 1:
                raise UserError(
                    f"the column '{name}' is named twice in --data.inputs and --data.targets; a "
                    "column is learned from, or predicted, once"
                )
        classes = self._find_classes(train, targets)
        if not self.targets and classes is None and _numbers_rows(train, targets[0]):
            warn(
                f"the last column of {train.path}, '{targets[0]}', only numbers the rows; choose "
                "the column to predict with --data.targets"
            )
        stored: dict[str, Batch] = {
            split: {
                "inputs": table.numbers(inputs),
                "targets": _regression_targets(table, targets)
                if classes is None
                else table.labels(targets[0], classes),
            }
            for split, table in tables.items()
        }
        if not self.standardise and not self.preprocess.offset:
            for split, table in tables.items():
                _check_digits(table, inputs, stored[split]["inputs"], STANDARDISE)
        return self.dataset(stored, classes)

    def _find_classes(self, train: "Table", targets: Sequence[str]) -> tuple[str, ...] | None:
        """The distinct targets, sorted; None for a regression."""
        if self.task == "regression":
            return None
        columns = [train.column(name) for name in targets]
        if self.task == "auto":
            if all(map(_are_numbers, columns)):
                return None
            for name, cells in zip(targets, columns, strict=True):
                _check_labels(train, name, cells)
        if len(targets) != 1:
            raise UserError(
                f"a classification has one column of targets, not {', '.join(targets[:SHOWN])}"
            )
        (cells,) = columns
        if "" in cells:
            line = train.lines[cells.index("")]
            raise UserError(f"line {line} of {train.path} has no label in column '{targets[0]}'")
        names = set(cells)
        if self.task == "classification" and _are_mostly_distinct(cells):
            warn(
                f"column '{targets[0]}' of {train.path} has {len(names):,} classes in "
                f"{len(cells):,} rows; numbers are predicted with --data.task regression"
            )
        _warn_of_spellings(names)
        return tuple(sorted(names, key=_number_key) if _are_numbers(cells) else sorted(names))


STANDARDISE = (
    "subtract the mean in 64 bits with --data.standardise True, or a constant from the column "
    "in the file"
)


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
      path: the file that it is from.
      header: the names of the columns.
      rows: the cells of each row.
      lines: the line of the file that each row ends on, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    @classmethod
    def read(cls, path: Path, delimiter: str) -> "Table":
        """Reads a file.

        Raises:
          UserError: the file is missing or not text, has no header or no rows, a column without a
            name, too many columns, or a row of another length.
        """
        numbered = read_rows(io.StringIO(_read_text(path), newline=""), path, delimiter,
                             skip_spaces=True)  # fmt: skip
        if not numbered:
            raise UserError(f"{path} must hold a line with the names of the columns, and rows")
        columns = len(numbered[0][1])
        if columns > MOST_COLUMNS:
            raise UserError(
                f"{path} has {columns:,} columns (separated by '{delimiter}'), more than the "
                f"{MOST_COLUMNS:,} that a table may have; put examples into lines, not columns"
            )
        if _lacks_header([row for _, row in numbered]):
            header = tuple(str(place + 1) for place in range(columns))
            warn(f"the first line of {path} names no columns, but is an example; the columns are "
                 f"called 1 to {columns}")  # fmt: skip
        else:
            header = tuple(name.strip() for name in numbered.pop(0)[1])
            _check_header(header, path, delimiter)
        if not numbered:
            raise UserError(f"{path} must hold a line with the names of the columns, and rows")
        for line, row in numbered:
            if len(row) != len(header):
                raise UserError(
                    f"line {line} of {path} has {len(row)} cells for {len(header)} columns "
                    f"(separated by '{delimiter}')"
                )
        return cls(path, header, [row for _, row in numbered], [line for line, _ in numbered])

    @functools.cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.header)}

    def column(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
          UserError: there is no column of that name.
        """
        if name not in self._places:
            shown = ", ".join(self.header[:SHOWN]) + (" ..." if len(self.header) > SHOWN else "")
            hint = nearest(name, self.header[:1000]) or f"; it has {shown}"
            raise UserError(f"{self.path} has no column '{name}'{hint}")
        place = self._places[name]
        return [row[place].strip() for row in self.rows]

    def numbers(self, names: Sequence[str]) -> np.ndarray:
        """Some columns as float64 (rows, columns), each number one that float32 can hold, rounded.

        Raises:
          UserError: a cell is not a finite number, or too large for 32 bits.
        """
        return np.stack([self._numbers(name) for name in names], axis=1)

    def _numbers(self, name: str) -> np.ndarray:
        cells = self.column(name)
        try:
            exact = np.array(cells, np.float64)
        except ValueError:
            exact = np.array([float(cell) if _is_number(cell) else np.nan for cell in cells])
        with np.errstate(over="ignore"):
            bad = np.flatnonzero(~np.isfinite(exact.astype(np.float32)))
        if bad.size:
            place = bad[0]
            kind = _written_kind(cells[place])
            if np.isfinite(exact[place]):
                why = "too large for 32 bits; complete or delete that row"
            elif kind:
                why = f"{kind}; write the column as plain numbers, such as 1250.5 or -3"
            else:
                why = "not a number; complete or delete that row"
            raise UserError(
                f"column '{name}' on line {self.lines[place]} of {self.path} is "
                f"{_shown(cells[place])}, {why}, or choose other columns with --data.inputs or "
                "--data.targets"
            )
        return exact

    def labels(self, name: str, classes: tuple[str, ...]) -> np.ndarray:
        """A column of class names as int32 (rows,).

        Raises:
          UserError: a cell is none of the classes.
        """
        index = {label: place for place, label in enumerate(classes)}
        cells = self.column(name)
        for line, cell in zip(self.lines, cells, strict=True):
            if cell not in index:
                raise UserError(
                    f"the label {_shown(cell)} on line {line} of {self.path} is none of the "
                    f"classes {', '.join(classes[:SHOWN])}"
                )
        return np.array([index[cell] for cell in cells], np.int32)


# Columns ------------------------------------------------------------------------------------------


def _find_inputs(train: Table, targets: Sequence[str], delimiter: str) -> tuple[str, ...]:
    """The columns beside the targets, without pandas' row labels.

    Raises:
      UserError: there is none, or one of several only numbers the rows.
    """
    inputs = [name for name in train.header if name not in targets]
    if inputs and UNNAMED.fullmatch(inputs[0]) and train.header[0] == inputs[0]:
        shown = f"called '{inputs[0]}'" if inputs[0] else "which has no name"
        warn(
            f"the first column of {train.path}, {shown}, is left out: pandas writes row labels "
            "there"
        )
        del inputs[0]
    if not inputs:
        raise UserError(
            f"{train.path} has no column beside {', '.join(targets[:SHOWN])} to learn from "
            f"(separated by '{delimiter}'); give another separator with --data.delimiter"
        )
    for name in inputs if len(inputs) > 1 else ():
        if _numbers_rows(train, name):
            others = " ".join(other for other in inputs if other != name)
            named = others if len(others) <= 100 else "NAME ..."
            raise UserError(
                f"column '{name}' of {train.path} only numbers the rows, which gives the targets "
                f"of sorted rows away; name the columns to learn from with --data.inputs {named}"
            )
    return tuple(inputs)


def _numbers_rows(table: Table, name: str) -> bool:
    """Whether a column counts the rows from 0 or 1, in order."""
    cells = table.column(name)
    if len(cells) < FEWEST_ROWS or not _is_number(cells[0]) or float(cells[0]) not in (0, 1):
        return False
    first = int(float(cells[0]))
    return all(
        _is_number(cell) and float(cell) == number for number, cell in enumerate(cells, first)
    )


def _regression_targets(table: Table, targets: Sequence[str]) -> np.ndarray:
    numbers = table.numbers(targets)
    _check_digits(table, targets, numbers, "subtract a constant from the column in the file")
    numbers = numbers.astype(np.float32)
    return numbers[:, 0] if len(targets) == 1 else numbers


def _check_digits(table: Table, names: Sequence[str], numbers: np.ndarray, advice: str) -> None:
    """Refuses columns (rows, columns) float64 of which 32 bits cannot tell the numbers apart."""
    for place in np.flatnonzero(~keeps_digits(numbers)).tolist():
        column = numbers[:, place]
        before, after = (len(np.unique(one)) for one in (column, column.astype(np.float32)))
        raise UserError(
            f"column '{names[place]}' of {table.path} holds {before:,} different numbers about "
            f"{column.mean():.9g}, of which 32 bits tell only {after:,} apart; {advice}"
        )


def _check_labels(table: Table, name: str, cells: Sequence[str]) -> None:
    """Refuses labels that are numbers with something else among them, or nearly all different."""
    kinds = {cell: _written_kind(cell) for cell in set(cells)}
    numeric = [_is_number(cell) or kinds[cell] is not None for cell in cells]
    if 2 * sum(numeric) > len(cells):
        place = next(
            place for place, cell in enumerate(cells) if kinds[cell] or not _is_number(cell)
        )
        why = kinds[cells[place]]
        raise UserError(
            f"column '{name}' on line {table.lines[place]} of {table.path} is "
            f"{_shown(cells[place])}, "
            + (
                f"{why}; write the column as plain numbers, such as 1250.5 or -3, to predict them"
                if why
                else "where most are numbers; complete or delete that row"
            )
            + ", or say --data.task classification"
        )
    if _are_mostly_distinct(cells):
        raise UserError(
            f"column '{name}' of {table.path} has {len(set(cells)):,} different texts in "
            f"{len(cells):,} rows, too many to be classes; choose the column to predict with "
            "--data.targets, write numbers for --data.task regression, or say --data.task "
            "classification"
        )


def _are_mostly_distinct(cells: Sequence[str]) -> bool:
    """Whether there are nearly as many labels as rows: then they are hardly classes."""
    return len(cells) >= FEWEST_ROWS and 2 * len(set(cells)) > len(cells)


def _warn_of_spellings(names: Iterable[str]) -> None:
    """Prints a warning for classes that differ in their spelling alone."""
    first: dict[object, str] = {}
    for name in sorted(names):
        key = float(name) if _is_number(name) else " ".join(name.casefold().split())
        if key in first:
            warn(
                f"the classes '{first[key]}' and '{name}' differ in their spelling alone; write "
                "them alike if they are the same class"
            )
            return
        first[key] = name


# The first line -----------------------------------------------------------------------------------


def _lacks_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is an example: numbers beside texts that are labels of other rows, too.

    A first row of numbers alone may be names, such as years, and is refused elsewhere. With texts
    that no other row has, it is an example if a number is not whole: nobody names a column 5.1.
    """
    first = [cell.strip() for cell in rows[0]]
    numbers = [place for place, cell in enumerate(first) if _is_number(cell)]
    texts = [place for place, cell in enumerate(first) if cell and not _is_number(cell)]
    if not numbers or not texts:
        return False
    others = [row for row in rows[1:] if len(row) == len(first)]
    if any(first[place] in {row[place].strip() for row in others} for place in texts):
        return True
    # The last column is the label's place unless another is named; its own class may be rare.
    return texts == [len(first) - 1] and any("." in first[place] for place in numbers)


def _check_header(header: Sequence[str], path: Path, delimiter: str) -> None:
    """Refuses names of columns that are numbers, missing, or there twice."""
    if not header[-1]:
        raise UserError(
            f"the last column of {path} has no name; give it one, or take away the "
            f"'{delimiter}' at the end of each line"
        )
    for place, name in enumerate(header[1:], 2):
        if not name:
            raise UserError(f"column {place} of {path} has no name; give it one in the first line")
    if _are_numbers(header) or len(set(header)) < len(header):
        raise UserError(f"the first line of {path} must name the columns, each by another name")


# Files and cells ----------------------------------------------------------------------------------


def _find_files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"train": path}
    files = {split: path / f"{split}.csv" for split in SPLITS}
    if not files["train"].exists():
        raise UserError(f"the folder {path} has no file train.csv")
    return {split: file for split, file in files.items() if file.exists()}


def _read_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read as a table: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} cannot be read as a table: the byte 0x{error.object[error.start]:02x} at "
            f"offset {error.start} is not UTF-8; save it as text in UTF-8"
        ) from None
    if "\0" in text:
        raise UserError(
            f"{path} cannot be read as a table: character {text.index(chr(0))} is a zero byte; "
            "save it as text in UTF-8"
        )
    return text


def _written_kind(cell: str) -> str | None:
    """How people call a number that is written for them; None for other texts and plain numbers."""
    if _is_number(cell):
        return None
    ascii_signs = cell.translate(DASHES)
    if ascii_signs != cell and _is_number(ascii_signs):
        return "a number with a typesetter's minus sign"
    return next((kind for form, kind in WRITTEN_NUMBERS if form.fullmatch(ascii_signs)), None)


def _number_key(cell: str) -> tuple[float, str]:
    return float(cell), cell


def _are_numbers(cells: Iterable[str]) -> bool:
    return all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _shown(cell: str) -> str:
    """A cell for a message, in quotes, cut where it is long."""
    return f"'{cell}'" if len(cell) <= 60 else f"'{cell[:60]}...'"
