"""A fault in any file operation of a run or a sweep: resumed, it ends as if nothing had happened.

``faults.c`` is preloaded, and kills the process, tears or shortens a write, or fills the disk, at
one operation. ``fault_runs.py`` tries many of them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nnjax

HERE = Path(__file__).parent

CONFIG = '''"""Points in two circles."""

from nnjax.data import Circles
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training, fit

config = Experiment(
    data=Circles(examples=120),
    learner=Supervised(MLP(features=(4,)), optimizer=Adam(learning_rate=0.01)),
    training=Training(epochs=6, batch_size=20, evaluate_every=2, checkpoint_seconds=0.0),
)


def main(experiment, run, *, resume=False, quiet=False):
    fit(experiment.learner, experiment.data.load(), experiment.training, run=run, resume=resume)
'''

CASES = {
    "plain": (["train", "circles.py"], "ktsf", 9),
    "best and averages": (
        ["train", "circles.py", "--patience", "3", "--monitor", "test loss",
         "--optimizer.ema-decay", "0.9"],
        "kt",
        6,
    ),
    "sampled sweep": (
        ["sweep", "circles.py", "--sampler", "tpe", "--trials", "3",
         "--over", "optimizer.learning-rate", "log:0.001..0.1", "--over", "l2", "linear:0..0.01"],
        "k",
        14,
    ),
}  # fmt: skip
"""For each case the command, the kinds of fault, and how many operations to try of each kind."""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The compiled faults.c."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    source = str(HERE / "faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", CASES)
def test_every_fault_is_overcome(case, library, tmp_path):
    words, modes, count = CASES[case]
    (tmp_path / "circles.py").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, HERE / "fault_runs.py", tmp_path, json.dumps(words), modes, str(count)],
        cwd=tmp_path,
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "PYTHONPATH": str(Path(nnjax.__file__).parent.parent),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    whole, *attempts = map(json.loads, done.stdout.splitlines())
    assert whole["first"] == 0, whole["said"]
    assert whole["operations"] > 50
    assert len(attempts) >= 0.9 * len(modes) * count
    for attempt in attempts:
        # Which step a save falls on depends on the clock, and so the last operations may not come.
        assert (
            attempt["first"]
            in {"k": (-9, 0), "t": (-9, 0), "s": (0,), "f": (0, 1)}[attempt["mode"]]
        ), attempt
        assert "Traceback" not in attempt["said"] + attempt["end"], attempt
        assert attempt["status"] == 0, attempt
        assert attempt["digest"] == whole["digest"], attempt
