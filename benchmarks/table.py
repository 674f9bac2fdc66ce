"""Markdown tables, and the report that they stand in."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import machine


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, numbers to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value: float | None) -> str:
    """A ratio, as in "4.21"."""
    return "" if value is None else f"{value:.2f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A share, as in "12%"."""
    return "" if value is None else f"{100 * value:.{digits}f}%"


def report(title: str, command: str, sections: Iterable[str]) -> str:
    """A page: the title, the machine, the command, then the sections."""
    head = [f"# {title}", "\n".join([*machine.describe(), f"- command: `{command}`"])]
    return "\n\n".join([*head, *sections]) + "\n"


def save(page: str, output: Path) -> None:
    """Prints a page and writes it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page)
    print(page)
    print(f"written to {output}")
