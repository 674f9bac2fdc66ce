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


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
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
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(run.directory.parent)
        os.execv(COMMAND[0], COMMAND)
    try:
        deadline = time.monotonic() + 250
        while not (run.directory / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 100_000)
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    except BaseException:
        os.kill(process, signal.SIGKILL)
        raise
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert_saved(run)
