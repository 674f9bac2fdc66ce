"""Runs what the documentation shows: its Python, and its ``nnjax`` commands."""

import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from nnjax.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = ("experiments", "models", "reuse", "sequences", "sweeps")
"""Documents that take several seconds."""
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_HERE = ("cnn2", "digits.py")
"""Commands with these take minutes or a machine of another kind."""


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW))
        for path in DOCUMENTS
    ],
)
def test_what_a_document_shows_works(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    shown = {"__name__": document.stem}
    blocks = BLOCK.findall(document.read_text())
    assert len(blocks) == document.read_text().count("\n```") // 2 > 0
    for language, name, text in blocks:
        if name:
            Path(name).write_text(text)
        elif language == "python":
            exec(compile(text, str(document), "exec"), shown)
        elif language == "sh":
            run_commands(text, monkeypatch)


def run_commands(text: str, monkeypatch) -> None:
    """Runs the lines that are ``nnjax`` commands for this machine, also behind an ``echo``."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["echo"] and "|" in words:
            said = " ".join(words[1 : words.index("|")]) + "\n"
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
            words = words[words.index("|") + 1 :]
        if words[:1] == ["nnjax"] and not set(words) & set(NOT_HERE):
            assert main(words[1:]) == 0, line
