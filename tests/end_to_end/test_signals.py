"""A signal from outside saves a run that is being trained, and the exit status tells which."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from marks import slow

from nnjax.runs.run import Run

CONFIG = """
from nnjax.data import Circles
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.training import Experiment, Training

config = Experiment(
    data=Circles(),
    learner=Supervised(model=MLP(features=(4,))),
    training=Training(epochs=1_000_000, batch_size=20, checkpoint_seconds=1000, threads=1),
)
"""

COMMAND = [sys.executable, "-m", "nnjax", "train", "long.py", "--run-dir", "run"]

IN_THE_TERMINAL_OF_ITS_INPUT = """
import os, sys
os.login_tty(0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "long.py").write_text(CONFIG)
    return Run(tmp_path / "run", "long")


def wait_until_it_trains(run):
    deadline = time.monotonic() + 250
    while not (run.directory / "metrics.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_saved(run):
    assert run.status == "interrupted"
    step = run.read_summary()["step"]
    assert (run.checkpoints / str(step)).is_dir()
    assert not (run.directory / "training.lock").exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, *slow(signal.SIGHUP)])
def test_the_exit_status_tells_the_signal(run, number):
    process = subprocess.Popen(
        COMMAND, cwd=run.directory.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until_it_trains(run)
        process.send_signal(number)
        process.send_signal(number)
        _, said = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert re.search(
        r"nnjax: stopped at step [\d,]+ of [\d,]+; go on with: nnjax resume run\n$", said
    )
    assert_saved(run)


@pytest.mark.slow
def test_a_terminal_that_closes_saves_the_run(run):
    terminal, end = pty.openpty()
    # Not pty.fork: a process in which JAX has threads must not go on as a copy of itself.
    process = subprocess.Popen(
        [sys.executable, "-c", IN_THE_TERMINAL_OF_ITS_INPUT, *COMMAND],
        stdin=end,
        cwd=run.directory.parent,
    )
    os.close(end)
    try:
        deadline = time.monotonic() + 250
        while not (run.directory / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 100_000)
        os.close(terminal)
        status = process.wait(250)
    finally:
        process.kill()
    assert status == 128 + signal.SIGHUP
    assert_saved(run)
