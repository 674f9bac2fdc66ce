"""The live table of a sweep: whole numbers at any width."""

import io
from collections import Counter
from types import SimpleNamespace

import pytest

from nnjax.console import Console
from nnjax.sweeps.record.study import PROGRAM
from nnjax.sweeps.run.display import Display

TRIALS = [
    SimpleNamespace(
        user_attrs={PROGRAM: 0}, state=SimpleNamespace(name="COMPLETE"), value=0.25 + number / 100
    )
    for number in range(12)
]

STUDY = SimpleNamespace(
    counts=lambda: Counter(complete=12, waiting=0),
    trials=lambda: TRIALS,
    best=lambda: SimpleNamespace(value=0.36, number=11),
)

DIRECTORY = SimpleNamespace(
    read_programs=lambda: {
        "0": {"settings": {"learner.model.features": "(64, [32])"}, "members": 4}
    }
)


class Objective:
    """What ranks the trials."""

    maximize = True

    def __str__(self):
        return "validation accuracy"


@pytest.mark.parametrize("width", [30, 60, 120])
def test_the_live_table_has_whole_numbers_at_any_width(width):
    console = Console(file=io.StringIO(), width=width)
    display = Display(DIRECTORY, STUDY, Objective(), console=console)
    console.print(display._table())
    printed = console.file.getvalue()
    words = printed.split()
    assert {"4", "12", "0.3600", "learner.model.features"} <= set(words)
    assert "[32])" in words
    assert "best validation accuracy 0.3600 (trial 11)" in printed
