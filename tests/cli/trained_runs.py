"""Fixtures: tiny finished runs, for the commands that start from one."""

import pytest

from nnjax.data import Circles, Digits
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training, fit
from nnjax.training.runs import Run


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
