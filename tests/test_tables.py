"""Tables never wrap or cut a number."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.console import Console
from nnjax.tables import NARROWEST_WORDS, Table


def lines(table, **options):
    file = io.StringIO()
    Console(file=file, **options).print(table)
    return file.getvalue().splitlines()


def numbers(columns, rows=2):
    """A table of numbers, of which no two are equal."""
    table = Table(["", *(f"heading {column}" for column in range(columns))])
    for row in range(rows):
        table.add_row(f"row {row}", *(f"{row}.{column:04}" for column in range(columns)))
    return table


@given(st.integers(1, 12), st.integers(1, 120))
def test_every_number_is_whole_at_every_width(columns, width):
    shown = lines(numbers(columns), width=width)
    words = [word for line in shown for word in line.split()]
    for row in range(2):
        for column in range(columns):
            assert words.count(f"{row}.{column:04}") == 1
    # Where the first column and one more fit, no line is longer than the terminal is wide.
    if width >= len("row 0") + 2 + len("heading 10"):
        assert max(map(len, shown)) <= width


def test_a_table_that_does_not_fit_is_printed_as_several():
    assert lines(numbers(3, rows=1), width=28) == [
        "       heading 0  heading 1",
        "row 0     0.0000     0.0001",
        "",
        "       heading 2",
        "row 0     0.0002",
    ]
    assert numbers(3, rows=1).lines(28) == 5
    assert numbers(3, rows=1).lines(80) == 2


def test_a_file_has_the_whole_table_in_one_line_a_row():
    assert len(lines(numbers(100))) == 3


def test_words_are_folded_to_the_width_and_numbers_are_not():
    table = Table(["trial", "loss", "why"], words=(2,))
    table.add_row("1", "0.5000", "the loss became infinite at step 17, in the second epoch")
    assert lines(table, width=50) == [
        "trial    loss  why",
        "1      0.5000  the loss became infinite at step",
        "               17, in the second epoch",
    ]
    narrow = lines(table, width=20)
    assert "1      0.5000" in narrow
    assert max(map(len, narrow)) <= len("trial  ") + NARROWEST_WORDS


@pytest.mark.parametrize("name", ["[red]", "[/]", "two\nlines", "\x1b[31m", "中文字", ":smile:"])
def test_names_are_shown_as_they_are(name):
    table = Table(["class", f"{name} a"])
    table.add_row(name, "1.5")
    shown = name.encode("unicode_escape").decode() if name.isascii() else name
    heading, row = lines(table)
    assert heading.endswith(f"{shown} a")
    assert row.startswith(shown)
    assert row.endswith(" 1.5")


def test_without_headings_and_without_rows():
    table = Table(["", ""], left=(0, 1))
    table.add_row("name", "value")
    assert lines(table) == ["name  value"]
    assert lines(Table(["a", "b"])) == ["a  b"]
    with pytest.raises(ValueError, match="a row of 3 cells in a table of 2"):
        table.add_row("a", "b", "c")
