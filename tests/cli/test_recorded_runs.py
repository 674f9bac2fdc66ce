"""Runs that version 0.1.0 recorded are still opened, measured, exported and gone on with.

``beach`` is a finished run of the experiment of that name. ``waves`` is one of a config file of its
own, stopped at step 10 of 20, and ``tides`` the same with accumulated gradients, which were saved
otherwise then. The metrics of the same runs, not stopped, lie beside them.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnjax.export import load_function
from nnjax.runs.run import Run

RECORDED = Path(__file__).parent / "recorded_at_0_1_0"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """The folder of a copy of the runs, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("beach", "waves", "tides"):
        shutil.copytree(RECORDED / name, tmp_path / name)
    return tmp_path


def test_a_finished_run_of_a_named_experiment(recorded, nnjax):
    done = nnjax("evaluate", "beach")
    assert done.status == 0, done.err
    assert "beach, parameters of step 3\n" in done.out
    assert "equal to summary.json, to the last digit" in done.out
    done = nnjax("export", "beach")
    assert done.status == 0, done.err
    days = np.array([(1, 3, 2), (3, 1, 1)], np.float32)
    outputs = load_function(recorded / "beach" / "export" / "model.stablehlo")(days)
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("name", ["waves", "tides"])
def test_a_stopped_run_with_the_import_paths_of_then(name, recorded, nnjax, refused):
    assert "--trust" in refused("resume", name)
    done = nnjax("resume", name, "--trust", "--quiet")
    assert done.status == 0, done.err
    assert "resumed at step 10" in done.out
    found = Run.open(recorded / name).read_metrics()
    lines = (RECORDED / f"{name}_not_stopped.jsonl").read_text().splitlines()
    assert len(found) == len(lines) == 8
    for record, line in zip(found, lines, strict=True):
        for key, value in json.loads(line).items():
            assert record[key] == (value if key == "split" else pytest.approx(value, rel=1e-5))
    done = nnjax("evaluate", name, "--trust")
    assert done.status == 0, done.err
    assert "equal to summary.json, to the last digit" in done.out


def test_recorded_runs_side_by_side(recorded, nnjax):
    done = nnjax("compare", "beach", "waves", "--trust")
    assert done.status == 0, done.err
    assert "finished" in done.out
    assert "interrupted" in done.out
