"""Tables with a column of labels and columns of text, in CSV and TSV files."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnjax.data.tables.csv_rows import read_rows
from nnjax.data.text.files import read_text
from nnjax.errors import UserError, nearest, warn

LABEL_NAMES = (
    "label", "labels", "class", "category", "sentiment", "topic", "target", "intent", "emotion",
    "polarity", "tag", "genre", "classes", "gold_label", "label_text", "rating", "stars", "score",
    "y",
)  # fmt: skip
"""Usual names of a column of labels, the surest first."""

TEXT_NAMES = frozenset(
    [
        "text", "texts", "sentence", "sentences", "review", "reviews", "content", "message",
        "comment", "tweet", "document", "title", "description", "headline", "utterance", "query",
        "question", "abstract", "body", "sms",
    ]
)  # fmt: skip
"""Usual names of columns of text."""

SUFFICIENT_ROWS = 10
"""In fewer rows a label that only one row has means little."""

TAB_ENDINGS = (".tsv", ".tab")


@dataclass(frozen=True)
class LabelledTexts:
    """Texts of one split, each with its label.

    Attributes:
      texts: as written.
      labels: as written, one for each text.
      header: the first line of their table, where it names the columns; else None.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    header: Sequence[str] | None = None


Rows = list[tuple[int, list[str]]]
"""The rows of a table that are not blank, each with its line in the file, counted from 1."""


def read_table(
    path: Path,
    label: str,
    text: tuple[str, ...],
    delimiter: str = ",",
    encoding: str = "utf-8",
    header: Sequence[str] | None = None,
) -> LabelledTexts:
    """Reads a table.

    The first line is a header where a column is chosen by its name, and where it looks like one:
    it has the usual name of a column of labels or text, or no number above numbers.

    Args:
      path: the CSV file; with the ending ``.tsv`` or ``.tab`` and the delimiter "," its columns are
        separated by tabs.
      label: the column of the labels: its name in the header, or its number counted from 1. "1" is
        the column with the usual name of labels, where a header has such a name elsewhere.
      text: the columns of text, likewise; several are joined by spaces. None given are those with
        usual names of text, else all others.
      delimiter: between two columns.
      encoding: of the file.
      header: of the table of the training texts, which this table may repeat.

    Raises:
      UserError: the file is missing, damaged or empty, there is no such column, a row lacks its
        label or text, or nearly every row has a label of its own.
    """
    if delimiter == "," and path.suffix.lower() in TAB_ENDINGS:
        delimiter = "\t"
    rows = _rows(path, delimiter, encoding)
    named = not all(name.isdecimal() for name in (label, *text))
    own_header = None
    if named or _same(rows[0][1], header) or _is_header(rows, label, path):
        own_header = [name.strip() for name in rows.pop(0)[1]]
    if not rows:
        raise UserError(f"{path} holds no rows")
    cells = len(rows[0][1])
    columns = own_header or (header if header and len(header) == cells else [""] * cells)
    if len(columns) == 1:
        raise UserError(
            f"{path} has one column only (separated by {delimiter!r}); give another separator with "
            "--data.delimiter"
        )
    at = _label_column(path, columns, label)
    places = [_column(path, columns, name) for name in text] or _text_columns(columns, at)
    texts, labels = [], []
    for line, row in rows:
        if len(row) != len(columns):
            raise UserError(
                f"line {line} of {path} has {len(row)} cells for {len(columns)} columns "
                f"(separated by '{delimiter}')"
            )
        texts.append(" ".join(row[place].strip() for place in places))
        labels.append(row[at].strip())
        if not labels[-1]:
            raise UserError(f"line {line} of {path} has no label")
        if not texts[-1].strip():
            raise UserError(f"line {line} of {path} has the label '{labels[-1]}' but no text")
    if header is None:
        _check_labels_repeat(path, texts, labels)
    return LabelledTexts(texts, labels, own_header)


def _rows(path: Path, delimiter: str, encoding: str) -> Rows:
    text = io.StringIO(read_text(path, encoding), newline="")
    rows = read_rows(text, path, delimiter)
    if not rows:
        raise UserError(f"{path} holds no rows")
    return rows


def _same(row: Sequence[str], header: Sequence[str] | None) -> bool:
    return header is not None and _lowered(row) == _lowered(header)


def _lowered(row: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in row]


def _is_header(rows: Rows, label: str, path: Path) -> bool:
    """Whether the first row of a table names the columns, where no option says so."""
    first, others = _lowered(rows[0][1]), [row for _, row in rows[1:]]
    usual = {place for place, cell in enumerate(first) if cell in {*LABEL_NAMES, *TEXT_NAMES}}
    at = int(label) - 1
    if not others or not 0 <= at < len(first):
        return bool(usual)

    def below(place: int) -> list[str]:
        """The other cells of a column."""
        return [row[place].strip() for row in others if place < len(row)]

    # The names of a header come again in no other row.
    if any(first[place] not in _lowered(below(place)) for place in usual):
        return True
    labels = below(at)
    if first[at] in _lowered(labels):
        return False
    if all(map(_is_number, labels)) and not _is_number(first[at]):
        return True
    if len(labels) >= SUFFICIENT_ROWS and min(Counter(labels).values()) > 1:
        name = rows[0][1][at].strip()
        warn(
            f"the first line of {path} is read as a text of the class '{name}', which no other "
            f"line has; where it names the columns, give --data.label '{name}'"
        )
    return False


def _label_column(path: Path, columns: Sequence[str], label: str) -> int:
    """The place of the column of labels."""
    if label != "1":
        return _column(path, columns, label)
    names = _lowered(columns)
    usual = [name for name in LABEL_NAMES if name in names]
    if names[0] in LABEL_NAMES or not (usual or names[0] in TEXT_NAMES):
        return 0
    if usual:
        return names.index(usual[0])
    if len(columns) == 2:
        return 1
    raise UserError(
        f"the columns of {path} are {', '.join(columns)}; say which holds the labels with "
        "--data.label"
    )


def _text_columns(columns: Sequence[str], label: int) -> list[int]:
    """The places of the columns of text: those with usual names, else all but that of labels."""
    others = [place for place in range(len(columns)) if place != label]
    usual = [place for place in others if columns[place].lower() in TEXT_NAMES]
    return usual or others


def _column(path: Path, columns: Sequence[str], name: str) -> int:
    """The place of a column by its name or its number, counted from 1."""
    if name.isdecimal() and 0 < int(name) <= len(columns):
        return int(name) - 1
    if name.isdecimal() or name not in columns:
        numbers = [str(place) for place in range(1, len(columns) + 1)]
        named = [one for one in columns if one]
        hint = nearest(name, named) or f"; it has {', '.join(named or numbers)}"
        raise UserError(f"{path} has no column '{name}'{hint}")
    return list(columns).index(name)


def _check_labels_repeat(path: Path, texts: Sequence[str], labels: Sequence[str]) -> None:
    """Refuses labels that are texts: nearly every row has one of its own."""
    classes, rows = len(set(labels)), len(labels)
    longer = sum(map(len, labels)) > sum(map(len, texts))
    if rows >= SUFFICIENT_ROWS and (classes > 0.9 * rows or (classes > rows / 2 and longer)):
        raise UserError(
            f"{path} has {classes} labels in {rows} rows, such as '{labels[0][:40]}': is that the "
            "column of the texts? Say which column holds the labels with --data.label, its name in "
            "the first line or its number, and which the texts with --data.text"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
