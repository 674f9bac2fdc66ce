"""Tables of numbers in text files, their columns named by the first line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from nnjax.data.dataset import SPLITS, Batch, Dataset
from nnjax.data.directory import given_path
from nnjax.data.splits import Splits
from nnjax.data.tables.csv_rows import read_rows
from nnjax.errors import UserError, nearest

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class Csv(Splits):
    """A table of numbers: a CSV file whose first line names the columns.

    Attributes:
      path: the file, or a folder with ``train.csv`` and perhaps ``validation.csv``, ``test.csv``.
      targets: the columns to predict; none given is the last one.
      inputs: the columns to predict from; none given are all others.
      delimiter: what is between two columns.
      task: "classification" takes each distinct target as a class, "regression" takes targets as
        numbers; "auto" is a regression where the targets are numbers.
      seed: shuffles the training rows before any are taken.
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
          UserError: a file is missing, a line incomplete, a column unknown or not of numbers.
        """
        tables = {
            split: Table.read(path, self.delimiter)
            for split, path in _find_files(given_path(self.path)).items()
        }
        train = tables["train"]
        targets = self.targets or train.header[-1:]
        inputs = self.inputs or tuple(name for name in train.header if name not in targets)
        if not inputs:
            raise UserError(
                f"{train.path} has no column beside {', '.join(targets)} to learn from "
                f"(separated by '{self.delimiter}'); give another separator with --data.delimiter"
            )
        classes = self._classes(train, targets)
        stored: dict[str, Batch] = {
            split: {
                "inputs": table.numbers(inputs),
                "targets": _regression(table, targets)
                if classes is None
                else table.labels(targets[0], classes),
            }
            for split, table in tables.items()
        }
        return self.dataset(stored, classes)

    def _classes(self, train: "Table", targets: tuple[str, ...]) -> tuple[str, ...] | None:
        """The distinct targets, sorted; None for a regression."""
        if self.task == "regression":
            return None
        columns = [train.column(name) for name in targets]
        if self.task == "auto":
            if all(map(_are_numbers, columns)):
                return None
            for name, cells in zip(targets, columns, strict=True):
                _check_kind(train, name, cells)
        if len(targets) != 1:
            raise UserError(f"a classification has one column of targets, not {', '.join(targets)}")
        if "" in columns[0]:
            line = train.lines[columns[0].index("")]
            raise UserError(f"line {line} of {train.path} has no label in column '{targets[0]}'")
        names = set(columns[0])
        return tuple(sorted(names, key=_number) if _are_numbers(columns[0]) else sorted(names))


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
      path: the file it is from.
      header: the names of the columns.
      rows: the cells of each row.
      lines: the line of the file that each row is from, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    @classmethod
    def read(cls, path: Path, delimiter: str) -> "Table":
        """Reads a file.

        Raises:
          UserError: it is missing, has no header or no rows, or a row of another length.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                numbered = read_rows(file, path, delimiter, skip_spaces=True)
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise UserError(f"{path} cannot be read as a table: {said}") from None
        if len(numbered) < 2:
            raise UserError(f"{path} must hold a line with the names of the columns, and rows")
        header = tuple(name.strip() for name in numbered[0][1])
        if not header[-1]:
            raise UserError(
                f"the last column of {path} has no name; give it one, or take away the "
                f"'{delimiter}' at the end of each line"
            )
        if _are_numbers(header) or len(set(header)) < len(header):
            raise UserError(f"the first line of {path} must name the columns, each by another name")
        for line, row in numbered[1:]:
            if len(row) != len(header):
                raise UserError(
                    f"line {line} of {path} has {len(row)} cells for {len(header)} columns "
                    f"(separated by '{delimiter}')"
                )
        return cls(path, header, [row for _, row in numbered[1:]], [n for n, _ in numbered[1:]])

    def column(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
          UserError: there is none of that name.
        """
        if name not in self.header:
            hint = nearest(name, self.header) or f"; it has {', '.join(self.header)}"
            raise UserError(f"{self.path} has no column '{name}'{hint}")
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]

    def numbers(self, names: Sequence[str]) -> np.ndarray:
        """Some columns as float32 (rows, columns).

        Raises:
          UserError: a cell is not a finite number.
        """
        return np.stack([self._numbers(name) for name in names], axis=1)

    def _numbers(self, name: str) -> np.ndarray:
        cells = self.column(name)
        try:
            exact = np.array(cells, np.float64)
        except ValueError:
            exact = np.array([float(cell) if _is_number(cell) else np.nan for cell in cells])
        with np.errstate(over="ignore"):
            numbers = exact.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(numbers))
        if bad.size:
            why = "too large for 32 bits" if np.isfinite(exact[bad[0]]) else "not a number"
            raise UserError(
                f"column '{name}' on line {self.lines[bad[0]]} of {self.path} is "
                f"'{cells[bad[0]]}', {why}; complete or delete that row, or choose other columns "
                "with --data.inputs or --data.targets"
            )
        return numbers

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
                    f"the label '{cell}' on line {line} of {self.path} is none of the classes "
                    f"{', '.join(classes[:10])}"
                )
        return np.array([index[cell] for cell in cells], np.int32)


def _check_kind(table: Table, name: str, cells: Sequence[str]) -> None:
    """Refuses a column of numbers with something else in it: missing, it is no class."""
    others = [place for place, cell in enumerate(cells) if not _is_number(cell)]
    if 0 < 2 * len(others) < len(cells):
        raise UserError(
            f"column '{name}' on line {table.lines[others[0]]} of {table.path} is "
            f"'{cells[others[0]]}', where most are numbers; complete or delete that row, or say "
            "--data.task classification"
        )


def _find_files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"train": path}
    files = {split: path / f"{split}.csv" for split in SPLITS}
    if not files["train"].exists():
        raise UserError(f"the folder {path} has no file train.csv")
    return {split: file for split, file in files.items() if file.exists()}


def _regression(table: Table, targets: Sequence[str]) -> np.ndarray:
    numbers = table.numbers(targets)
    return numbers[:, 0] if len(targets) == 1 else numbers


def _number(cell: str) -> tuple[float, str]:
    return float(cell), cell


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
