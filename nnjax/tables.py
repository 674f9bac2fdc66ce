"""Tables whose numbers are never wrapped or cut, however narrow the terminal is."""

import itertools
from collections.abc import Collection, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.text import Text

from nnjax.escapes import printable

GAP = 2
"""Spaces between columns."""

NARROWEST_WORDS = 24
"""Columns of words are folded to no less than this width, in characters."""


class Table:
    """A table without lines, for ``Console.print``.

    A table that is wider than the console is printed as several tables below each other, each of
    which begins with the first column. Only columns of words are folded. Cells are shown as they
    are: square brackets are no markup.

    Args:
      headings: one for each column; the heading row is left out where all are empty.
      left: indices of the columns that are aligned left; numbers are aligned right.
      words: indices of the columns that may be folded, aligned left as well.

    Example:
      >>> from nnjax.console import Console
      >>> from nnjax.tables import Table
      >>> table = Table(["split", "accuracy", "loss"])
      >>> table.add_row("train", "0.9876", "0.0421")
      >>> table.add_row("test", "0.9712", "0.1034")
      >>> Console(width=16).print(table)
      split  accuracy
      train    0.9876
      test     0.9712
      <BLANKLINE>
      split    loss
      train  0.0421
      test   0.1034
    """

    def __init__(
        self, headings: Sequence[str], *, left: Collection[int] = (0,), words: Collection[int] = ()
    ):
        self.headings = [_cell(heading) for heading in headings]
        self._left = {*left, *words}
        self._words = set(words)
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str, style: str = "") -> None:
        """Adds a row; cells that are missing at its end are empty.

        Args:
          *cells: the texts, in the order of the headings.
          style: of the whole row, such as "bold".
        """
        missing = len(self.headings) - len(cells)
        if missing < 0:
            raise ValueError(f"a row of {len(cells)} cells in a table of {len(self.headings)}")
        self._rows.append(([*map(_cell, cells), *[Text()] * missing], style))

    @property
    def width(self) -> int:
        """Characters in a line of the whole table."""
        return self._width(range(len(self.headings)))

    def lines(self, width: int) -> int:
        """How many lines a console of that width needs, where no words are folded."""
        parts = len(self._parts(width))
        return parts * (1 + len(self._rows)) + parts - 1

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The lines of the tables that the console prints, with an empty line between any two."""
        for number, columns in enumerate(self._parts(options.max_width)):
            if number:
                yield Text()
            yield from self._rendered(console, columns, options.max_width)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """The widths between which rich may choose, where the table is part of another one."""
        return Measurement(self.width, self.width)

    def _parts(self, width: int) -> list[list[int]]:
        """The columns of each table: as many as fit after the first column, at least one."""
        parts = [[0]] if self.headings else []
        for column in range(1, len(self.headings)):
            wider = [*parts[-1], column]
            if len(parts[-1]) > 1 and self._width(wider, folded=True) > width:
                parts.append([0, column])
            else:
                parts[-1] = wider
        return parts

    def _rendered(self, console: Console, columns: Sequence[int], width: int) -> Iterator[Text]:
        """The lines of some columns, whose words are folded so that a line is no longer than width.

        Where a single column of numbers is wider than that, so are the lines: the terminal wraps
        them, while a cell that is cut would show another number.
        """
        widths = [self._column_width(column) for column in columns]
        excess = sum(widths) + GAP * (len(widths) - 1) - width
        for place, column in enumerate(columns):
            if column in self._words and excess > 0:
                narrower = max(NARROWEST_WORDS, widths[place] - excess)
                excess -= widths[place] - min(narrower, widths[place])
                widths[place] = min(narrower, widths[place])
        headings = [(self.headings, "bold")] if any(self.headings[c] for c in columns) else []
        for cells, style in (*headings, *self._rows):
            folded = [
                cells[column].wrap(console, narrow, overflow="fold")
                if column in self._words
                else [cells[column]]
                for column, narrow in zip(columns, widths, strict=True)
            ]
            for line in itertools.zip_longest(*folded, fillvalue=Text()):
                yield self._line(columns, widths, line, style)

    def _line(
        self, columns: Sequence[int], widths: Sequence[int], cells: Sequence[Text], style: str
    ) -> Text:
        line = Text(style=style, no_wrap=True, overflow="ignore", end="\n")
        for place, (column, width, cell) in enumerate(zip(columns, widths, cells, strict=True)):
            if place:
                line.append(" " * GAP)
            space = width - cell.cell_len
            if column in self._left:
                line.append_text(cell).append(" " * space)
            else:
                line.append(" " * space).append_text(cell)
        line.rstrip()
        return line

    def _width(self, columns: Sequence[int], *, folded: bool = False) -> int:
        widths = [
            min(self._column_width(column), NARROWEST_WORDS)
            if folded and column in self._words
            else self._column_width(column)
            for column in columns
        ]
        return sum(widths) + GAP * max(len(widths) - 1, 0)

    def _column_width(self, column: int) -> int:
        cells = [self.headings[column], *(cells[column] for cells, _ in self._rows)]
        return max(cell.cell_len for cell in cells)


def _cell(text: str) -> Text:
    return Text(printable(text))
