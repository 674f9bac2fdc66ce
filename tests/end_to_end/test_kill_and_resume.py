"""Runs killed at any moment and resumed end as runs that were never stopped, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import nnjax
from nnjax.cli.runs import open_run
from nnjax.distributed import devices
from nnjax.runs.checkpoints import Checkpoints
from nnjax.training import best, snapshot
from nnjax.training.experiment import fit_to_data

CONFIG = '''"""Digits, by a small net with dropout."""

import dataclasses

import numpy as np

from nnjax.data.dataset import Dataset
from nnjax.data.preprocessing import Preprocess
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training, fit


@dataclasses.dataclass(frozen=True)
class SavedDigits:
    """The digits of a file, quicker to read than scikit-learn is to import.

    Attributes:
      path: of the file.
    """

    path: str = "digits.npz"

    def load(self) -> Dataset:
        with np.load(self.path) as arrays:
            images, labels = arrays["images"], arrays["labels"]
        parts = {"train": slice(1200), "validation": slice(1200, 1500), "test": slice(1500, None)}
        splits = {
            name: {"inputs": images[part], "targets": labels[part]} for name, part in parts.items()
        }
        return Dataset(splits, tuple("0123456789"), Preprocess(scale=1 / 16))


config = Experiment(
    data=SavedDigits(),
    learner=Supervised(MLP(features=(30,), dropout=0.2), optimizer=Adam(learning_rate=0.003)),
    training=Training(epochs=60, batch_size=25, evaluate_every=0.5, checkpoint_seconds=0.05),
)


def main(experiment, run, *, resume=False, quiet=False):
    fit(experiment.learner, experiment.data.load(), experiment.training, run=run, resume=resume)
'''

RECORDS = 60 * 2 * 2
"""Lines of metrics that a whole run of the config leaves."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the config and its data."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("digits")
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.uint8).reshape(-1, 8, 8, 1)
    np.savez(folder / "digits.npz", images=images, labels=labels.astype(np.int32))
    (folder / "digits.py").write_text(CONFIG)
    return folder


def start(folder, *words):
    """Starts ``nnjax`` as a process."""
    source = Path(nnjax.__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "nnjax", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), output + errors


def train_whole(folder, name, *options):
    """A run that is never stopped."""
    finish(start(folder, "train", "digits.py", "--run-dir", name, *options))
    return folder / name


def count_records(run):
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def is_saving(run):
    folder = run / "checkpoints"
    return folder.is_dir() and any("tmp" in name for name in os.listdir(folder))


def kill_when(process, condition, number=signal.SIGKILL):
    """Ends a process at a moment; returns what it wrote to stderr."""
    deadline = time.monotonic() + 100
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return errors


def arrays_of(run):
    """Every array of the newest checkpoint, and its step."""
    opened = open_run(run)
    data = opened.load_data()
    learner = fit_to_data(opened.experiment.learner, data, opened.experiment.training)
    training = opened.experiment.training
    carry = snapshot.initial_carry(learner, data, training, devices.make_mesh(1))
    monitored = best.make_monitor(training.monitor, learner, data)
    wanted = snapshot.abstract(snapshot.tree(carry, carry.state if monitored else None))
    with Checkpoints(run / "checkpoints") as checkpoints:
        step, tree, _ = checkpoints.restore(wanted, on_fallback=pytest.fail)
    bare = [jax.random.key_data(x) if is_key(x) else x for x in jax.tree.leaves(tree)]
    return step, [np.asarray(x) for x in bare]


def is_key(array):
    return jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)


def assert_same_run(run, whole, monkeypatch):
    monkeypatch.chdir(whole.parent)
    (step, ours), (whole_step, theirs) = arrays_of(run), arrays_of(whole)
    assert step == whole_step
    for one, other in zip(ours, theirs, strict=True):
        assert one.tobytes() == other.tobytes()
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    mine, reference = open_run(run).run.read_summary(), open_run(whole).run.read_summary()
    same = ("status", "train", "validation", "test", "steps", "best_step", "parameters")
    assert {name: mine[name] for name in same} == {name: reference[name] for name in same}


@pytest.fixture(scope="module")
def whole(folder):
    return train_whole(folder, "whole")


@pytest.mark.slow
def test_sigkill_at_random_moments_and_during_a_save(folder, whole, monkeypatch):
    draw = random.Random(time.time_ns())
    run = folder / "killed"
    process = start(folder, "train", "digits.py", "--run-dir", "killed")
    for part in (0.05, 0.35, 0.65):
        target = int(RECORDS * (part + draw.uniform(0, 0.2)))
        kill_when(process, lambda target=target: count_records(run) >= target)
        process = start(folder, "resume", "killed")
    target = count_records(run)
    kill_when(process, lambda: count_records(run) > target and is_saving(run))
    finish(start(folder, "resume", "killed"))
    assert_same_run(run, whole, monkeypatch)


@pytest.mark.slow
def test_sigkill_with_early_stopping(folder, monkeypatch):
    options = ("--patience", "12", "--monitor", "validation accuracy", "--epochs", "400")
    whole = train_whole(folder, "patient", *options)
    records = count_records(whole)
    assert records < 400 * 4, "early stopping never came"
    run = folder / "impatient"
    process = start(folder, "train", "digits.py", "--run-dir", "impatient", *options)
    kill_when(process, lambda: count_records(run) >= records // 2 and is_saving(run))
    finish(start(folder, "resume", "impatient"))
    assert_same_run(run, whole, monkeypatch)


@pytest.mark.slow
def test_sigkill_before_anything_is_saved(folder, whole, monkeypatch):
    run = folder / "early"
    options = ("--checkpoint-seconds", "1000")
    process = start(folder, "train", "digits.py", "--run-dir", "early", *options)
    kill_when(process, lambda: count_records(run) >= 3)
    finish(start(folder, "resume", "early"))
    assert_same_run(run, whole, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_hints(folder, whole, monkeypatch, number):
    name = number.name
    process = start(folder, "train", "digits.py", "--run-dir", name, "--checkpoint-seconds", "1000")
    errors = kill_when(process, lambda: count_records(folder / name) >= 5, number)
    assert process.returncode == 128 + number
    assert errors.endswith(f"of 2,880; go on with: nnjax resume {name}\n")
    assert errors.count("\n") == 1
    (saved,) = (folder / name / "checkpoints").iterdir()
    assert f"stopped at step {int(saved.name):,} " in errors
    if number == signal.SIGTERM:
        finish(start(folder, "resume", name))
        assert_same_run(folder / name, whole, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_campaign_of_kills(folder, whole, monkeypatch, seed):
    """Each process is killed after a random time, from the first import on, or during a save."""
    draw = random.Random(seed)
    name = f"campaign{seed}"
    process = start(folder, "train", "digits.py", "--run-dir", name)
    for _ in range(8):
        until = time.monotonic() + draw.uniform(0, 6)
        during_save = draw.random() < 0.5
        while process.poll() is None:
            if time.monotonic() > until and (not during_save or is_saving(folder / name)):
                process.kill()
                break
            time.sleep(0.0005)
        process.communicate()
        made = (folder / name / "config.json").exists()
        if process.returncode == 0:
            break
        words = ("resume", name) if made else ("train", "digits.py", "--run-dir", name)
        process = start(folder, *words)
    process.communicate()
    if process.returncode:
        finish(start(folder, "resume", name))
    assert_same_run(folder / name, whole, monkeypatch)
