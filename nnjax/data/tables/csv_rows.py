"""The rows of CSV files."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

from nnjax.errors import UserError


def read_rows(
    lines: Iterable[str], path: Path, delimiter: str, *, skip_spaces: bool = False
) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file that are not blank, each with the line where it ends, counted from 1.

    Args:
      lines: of the file, with their ends.
      path: of the file, for messages.
      delimiter: the character between cells. A cell may be of any length.
      skip_spaces: leave out spaces after a delimiter, also before a quote.

    Raises:
      UserError: the delimiter is not one character, or is a quote or a line end; or a quote is not
        closed.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise UserError(
            f"delimiter={delimiter!r} must be one character, neither a quote nor the end of a line"
        )
    limit = csv.field_size_limit(sys.maxsize)
    begins, rows = 1, []
    try:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=skip_spaces, strict=True)
        for row in reader:
            if any(map(str.strip, row)):
                rows.append((reader.line_num, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"the row on line {begins} of {path} cannot be read: {error}; close its quotes"
        ) from None
    finally:
        csv.field_size_limit(limit)
    return rows
