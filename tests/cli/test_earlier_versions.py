"""A run that version 0.1.0 made: it opens, and its numbers are the same."""

import shutil
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "data" / "run_of_0_1_0"
"""``nnjax train blobs --steps 3 --batch-size 20``, without its figures."""


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(RUN, tmp_path / "run")


def test_a_run_of_version_0_1_0_is_measured_to_the_same_numbers(run, nnjax):
    done = nnjax("evaluate", run)
    assert done.status == 0, done.err
    assert "equal to summary.json" in done.out


def test_its_own_config_file_asks_for_trust(run, refused):
    """Version 0.1.0 signed nothing."""
    environment = run / "environment.json"
    text = environment.read_text().replace(
        '"config_file": null', '"config_file": "/home/u/mine.py"'
    )
    environment.write_text(text)
    (run / "config.py").write_text("raise SystemExit('it ran')")
    assert f"{run} would run its config.py" in refused("evaluate", run)
    assert "it ran" in refused("evaluate", run, "--trust")
