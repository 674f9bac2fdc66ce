"""A config file of a user's own, the command line called in this process, tiny finished runs."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnjax.cli.main import main
from nnjax.data import Circles, Digits
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.runs.run import Run
from nnjax.sweeps.population import layout
from nnjax.training import Experiment, Training, fit

CONFIG = '''"""Small clouds of points: a config with a source, a learner and a main of its own."""

import dataclasses
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np

from nnjax.data.dataset import Dataset
from nnjax.learners import Supervised
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training, fit
from nnjax.training.progress import Progress


@dataclasses.dataclass(frozen=True)
class Clouds:
    """Two clouds of points.

    Attributes:
      examples: how many there are.
      far: how far apart the clouds are.
    """

    examples: int = 60
    far: float = 2.0

    def load(self) -> Dataset:
        draw = np.random.default_rng(0)
        targets = np.arange(self.examples, dtype=np.int32) % 2
        inputs = draw.normal(size=(self.examples, 2)) + self.far * targets[:, None]
        inputs = inputs.astype(np.float32)
        cut = self.examples // 3
        return Dataset(
            {
                "train": {"inputs": inputs[cut:], "targets": targets[cut:]},
                "test": {"inputs": inputs[:cut], "targets": targets[:cut]},
            },
            classes=("left", "right"),
        )


class Net(nn.Module):
    """One hidden layer.

    Attributes:
      width: of the hidden layer.
      outputs: number of classes.
    """

    width: int = 4
    outputs: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        return nn.Dense(self.outputs)(nn.tanh(nn.Dense(self.width)(x)))


@dataclasses.dataclass(frozen=True)
class Gentle(Supervised):
    """Supervised learning by another name.

    Attributes:
      patience_of_saints: of no effect.
    """

    patience_of_saints: float = 1.0


config = Experiment(
    data=Clouds(),
    learner=Gentle(Net(), optimizer=SGD(learning_rate=0.1)),
    training=Training(epochs=2, batch_size=10, monitor="none"),
)


def main(experiment, run, *, resume=False, quiet=False):
    data = experiment.data.load()
    training, examples = experiment.training, data.size("train")
    progress = Progress(
        total_steps=training.total_steps(examples),
        steps_per_epoch=training.steps_per_epoch(examples),
        quiet=quiet,
    )
    with progress:
        fit(experiment.learner, data, training, run=run, progress=progress, resume=resume)
'''


@pytest.fixture(autouse=True)
def quick_measurements(monkeypatch):
    """A program of a sweep is measured in a moment, before its trials are trained."""
    monkeypatch.setattr(layout, "SECONDS", 0.02)


@pytest.fixture(scope="session")
def config_text():
    return CONFIG


@pytest.fixture
def config_file(config_text, tmp_path, monkeypatch):
    """``my-net.py`` in a folder that is also the current one."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "my-net.py"
    file.write_text(config_text)
    return file


@pytest.fixture
def nnjax(capfd):
    """Calls the command line with words; returns its status, what it printed, its complaint."""

    def call(*words):
        capfd.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as exit_:
            status = exit_.code or 0
        heard = capfd.readouterr()
        return SimpleNamespace(status=status, out=heard.out, err=heard.err)

    return call


@pytest.fixture
def refused(nnjax):
    """Calls it with words that must be refused in one sentence; returns the sentence."""

    def call(*words):
        done = nnjax(*words)
        assert done.status not in (0, None), done.out
        assert done.err.startswith("nnjax: "), done.err
        assert done.err.count("\n") == 1, done.err
        return done.err.removeprefix("nnjax: ").rstrip("\n")

    return call


@pytest.fixture
def same_parameters():
    """Compares the newest checkpoints of two runs, bit for bit unless told otherwise."""

    def compare(one, other, tolerance=0.0):
        from nnjax.cli.runs import open_run
        from nnjax.training.snapshot import read_trained

        states = []
        for directory in (one, other):
            opened = open_run(directory, trust=True)
            states.append(read_trained(opened.experiment, opened.run, opened.load_data())[1:])
        (state, step), (other_state, other_step) = states
        assert step == other_step
        ours, theirs = state.params, other_state.params
        for path in ("Dense_0", "Dense_1"):
            for name in ("kernel", "bias"):
                options = {"rtol": tolerance, "atol": tolerance}
                np.testing.assert_allclose(ours[path][name], theirs[path][name], **options)

    return compare


def train(name, experiment, root):
    """Runs an experiment to the end."""
    run = Run.create(name, experiment, root=root)
    fit(experiment.learner, experiment.data.load(), experiment.training, run=run)
    run.close()
    return run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """Digits with a validation split, so that the best parameters are kept."""
    model = MLP(features=(15,), activation="relu")
    learner = Supervised(model=model, optimizer=SGD(learning_rate=0.05))
    training = Training(epochs=4, batch_size=64)
    experiment = Experiment(data=Digits(validation=200), learner=learner, training=training)
    return train("digits", experiment, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def circles_run(tmp_path_factory):
    """Circles without a validation split: the last parameters are kept."""
    learner = Supervised(model=MLP(features=(10,)), optimizer=SGD(learning_rate=0.05))
    training = Training(epochs=3, batch_size=50)
    experiment = Experiment(data=Circles(), learner=learner, training=training)
    return train("circles", experiment, tmp_path_factory.mktemp("runs"))
