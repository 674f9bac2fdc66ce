"""Tiny experiments, and sweeps of them carried through in this process."""

import dataclasses
import shutil

import numpy as np
import pytest

from nnjax.data import Digits
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam
from nnjax.runs.run import Run
from nnjax.sweeps import Search, Swept, run_sweep
from nnjax.sweeps.population import layout
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study
from nnjax.training import Experiment, Training, fit


@pytest.fixture(autouse=True)
def quick_measurements(monkeypatch):
    """A program is measured in a moment, before its trials are trained."""
    monkeypatch.setattr(layout, "SECONDS", 0.02)


@pytest.fixture(scope="session")
def digits():
    """Digits by a small net with dropout, three epochs."""
    return Experiment(
        data=Digits(validation=200),
        learner=Supervised(MLP(features=(15,), dropout=0.1), optimizer=Adam(learning_rate=0.003)),
        training=Training(epochs=3, batch_size=64, checkpoint_seconds=1000),
    )


@pytest.fixture
def sweep_to_end(tmp_path):
    """Carries a sweep through; returns its directory and its study."""

    def run(sweep, name="sweep"):
        return run_sweep(sweep, tmp_path / name)

    return run


@pytest.fixture
def alone(tmp_path):
    """Trains an experiment alone, as ``nnjax train`` does; returns its run."""
    count = iter(range(1000))

    def train(experiment):
        run = Run.create("alone", experiment, directory=tmp_path / f"alone-{next(count)}")
        fit(experiment.learner, experiment.data.load(), experiment.training, run=run)
        return run

    return train


@pytest.fixture
def assert_same_records():
    """Compares what two runs measured, to the rounding of float32."""

    def compare(one, other, tolerance=2e-5):
        ours, theirs = one.read_metrics(), other.read_metrics()
        assert len(ours) == len(theirs) > 0
        for mine, yours in zip(ours, theirs, strict=True):
            assert mine.keys() == yours.keys()
            for name in mine:
                if isinstance(mine[name], float):
                    np.testing.assert_allclose(mine[name], yours[name], rtol=tolerance, atol=1e-6)
                else:
                    assert mine[name] == yours[name]

    return compare


@pytest.fixture(scope="session")
def with_training():
    """Replaces training options of an experiment."""

    def replace(experiment, **options):
        training = dataclasses.replace(experiment.training, **options)
        return dataclasses.replace(experiment, training=training)

    return replace


@pytest.fixture(scope="session")
def quick(digits, with_training):
    """One epoch of a plain net."""
    learner = dataclasses.replace(digits.learner, optimizer=SGD(learning_rate=0.1))
    return with_training(dataclasses.replace(digits, learner=learner), epochs=1)


@pytest.fixture
def copied(tmp_path):
    """Copies a sweep, so that a test may change it."""

    def copy(swept):
        path = shutil.copytree(swept.directory.directory, tmp_path / "sweep")
        directory = SweepDirectory.open(path)
        return Swept(directory, Study(path, Search(), name=directory.study), swept.objective)

    return copy
