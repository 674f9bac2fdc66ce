"""Tables with a column of labels and columns of text, in CSV files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnjax.data.tables.csv_rows import read_rows
from nnjax.data.text.files import read_text
from nnjax.errors import UserError, nearest


@dataclass(frozen=True)
class LabelledTexts:
    """Texts of one split, each with its label.

    Attributes:
      texts: as written.
      labels: as written, one for each text.
    """

    texts: Sequence[str]
    labels: Sequence[str]


def read_table(
    path: Path, label: str, text: tuple[str, ...], delimiter: str = ",", encoding: str = "utf-8"
) -> LabelledTexts:
    """Reads a table.

    Args:
      path: the CSV file.
      label: the column of the labels: a name in the first line, or, where that line has no names, a
        number counted from 1.
      text: the columns of text, likewise; several are joined by spaces. None given are all others.
      delimiter: between two columns.
      encoding: of the file.

    Raises:
      UserError: the file is missing, damaged or empty, there is no such column, or a row lacks its
        label or text.
    """
    rows = _rows(path, delimiter, encoding)
    header: Sequence[str] = [str(place) for place in range(1, len(rows[0][1]) + 1)]
    if not label.isdecimal():
        header = [name.strip() for name in rows.pop(0)[1]]
    if not rows:
        raise UserError(f"{path} holds no rows")
    at = _column(path, header, label)
    places = [_column(path, header, name) for name in text]
    places = places or [place for place in range(len(header)) if place != at]
    texts, labels = [], []
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"line {line} of {path} has {len(row)} cells for {len(header)} columns "
                f"(separated by '{delimiter}')"
            )
        texts.append(" ".join(row[place].strip() for place in places))
        labels.append(row[at].strip())
        if not labels[-1]:
            raise UserError(f"line {line} of {path} has no label")
        if not texts[-1].strip():
            raise UserError(f"line {line} of {path} has the label '{labels[-1]}' but no text")
    return LabelledTexts(texts, labels)


def _rows(path: Path, delimiter: str, encoding: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with its line counted from 1."""
    text = io.StringIO(read_text(path, encoding), newline="")
    rows = read_rows(text, path, delimiter)
    if not rows:
        raise UserError(f"{path} holds no rows")
    return rows


def _column(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        hint = nearest(name, header) or f"; it has {', '.join(header)}"
        raise UserError(f"{path} has no column '{name}'{hint}")
    return list(header).index(name)
