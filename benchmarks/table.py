"""Markdown tables, and the pages that contain them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import machine


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table, with the first column aligned left and the others right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value: float | None) -> str:
    """Returns a ratio as text, as in "4.21"; empty for None."""
    return "" if value is None else f"{value:.2f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Returns a share as text, as in "12%"; empty for None."""
    return "" if value is None else f"{100 * value:.{digits}f}%"


def report(title: str, command: str, sections: Iterable[str]) -> str:
    """Returns a page: the title, the machine, the command, then the sections."""
    head = [f"# {title}", "\n".join([*machine.describe(), f"- command: `{command}`"])]
    return "\n\n".join([*head, *sections]) + "\n"


def save(page: str, output: Path) -> None:
    """Prints a page and writes it to a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page)
    print(page)
    print(f"written to {output}")
