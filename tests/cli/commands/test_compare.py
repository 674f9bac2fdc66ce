"""``nnjax compare``: results and differences side by side."""

import functools
import shutil
from pathlib import Path

import pytest

from nnjax.cli.commands import compare
from nnjax.cli.main import main
from nnjax.cli.runs import open_run
from nnjax.console import Console


def rows(printed):
    """The cells of each line, by the first."""
    cells = [line.split("  ") for line in printed.splitlines() if line.strip()]
    return {line[0].strip(): [cell.strip() for cell in line[1:] if cell.strip()] for line in cells}


def test_metrics_facts_and_differences(digits_run, circles_run, capsys):
    assert main(["compare", str(digits_run.directory), str(circles_run.directory)]) == 0
    table = rows(capsys.readouterr().out)
    accuracy = [run.read_summary()["test"]["accuracy"] for run in (digits_run, circles_run)]
    assert table["test accuracy"] == [f"{value:.4f}" for value in accuracy]
    assert table["parameters"] == ["1,135", "52"]
    assert table["data"] == ["Digits", "Circles"]
    assert table["batch_size"] == ["64", "50"]
    assert "seed" not in table
    assert "learner" not in table


def test_figure_where_asked_for(digits_run, circles_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs = [str(digits_run.directory), str(circles_run.directory)]
    assert main(["compare", *runs]) == 0
    assert not list(tmp_path.iterdir())
    assert main(["compare", *runs, "--figure", "pictures/compare.png"]) == 0
    assert (tmp_path / "pictures" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert "pictures/compare.png" in capsys.readouterr().out


def test_no_runs_given(capsys):
    assert main(["compare"]) == 1
    assert "give the runs to compare" in capsys.readouterr().err


@pytest.fixture
def dozen(digits_run, tmp_path):
    """Twelve copies of a run in folders of one name."""
    copies = [tmp_path / f"copy{number}" / "run" for number in range(12)]
    for copy in copies:
        copy.mkdir(parents=True)
        for file in digits_run.directory.glob("*.json*"):
            shutil.copy(file, copy)
    return list(map(str, copies))


@pytest.mark.parametrize("width", [30, 80, None])
def test_a_dozen_runs_keep_their_names_and_whole_numbers(
    digits_run, dozen, width, capsys, monkeypatch
):
    if width:
        monkeypatch.setattr(compare, "Console", functools.partial(Console, width=width))
    assert main(["compare", *dozen]) == 0
    words = capsys.readouterr().out.split()
    accuracy = f"{digits_run.read_summary()['test']['accuracy']:.4f}"
    assert words.count(accuracy) >= 12
    assert words.count("1,135") == 12
    assert all(words.count(f"copy{number}/run") >= 1 for number in range(12))


def test_equal_labels_are_told_apart(digits_run, dozen):
    opened = [open_run(Path(path)) for path in (*dozen[:2], dozen[0])]
    assert compare._labels(opened) == ["copy0/run (1)", "copy1/run", "copy0/run (2)"]
