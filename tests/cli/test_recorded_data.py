"""A trained run is used with what it recorded of its data, whatever lies in the files by now."""

import json
import shutil

import numpy as np
import pytest

from nnjax import export
from nnjax.cli.main import main
from nnjax.cli.runs import open_run
from nnjax.data import Csv
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.runs.run import Run
from nnjax.training import Experiment, Training, fit

LEARNER = Supervised(MLP(features=(), outputs=None), optimizer=Adam(learning_rate=0.1))
TRAINING = Training(epochs=15, batch_size=20)


def write_temperatures(path, warmer=0.0):
    """A table of temperatures, above 20 degrees "hot", and of what is no temperature."""
    draw = np.random.default_rng(0)
    degrees = 20 + 4 * draw.normal(size=200) + warmer
    rows = [f"{one:.3f},{draw.normal():.3f},{'hot' if one > 20 else 'cold'}" for one in degrees]
    path.write_text("\n".join(["degrees,other,class", *rows]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that tells hot from cold by a standardised temperature, and its table."""
    folder = tmp_path_factory.mktemp("temperatures")
    write_temperatures(folder / "table.csv")
    experiment = Experiment(
        data=Csv(path=folder / "table.csv", standardise=True), learner=LEARNER, training=TRAINING
    )
    run = Run.create("temperatures", experiment, directory=folder / "run")
    fit(LEARNER, experiment.data.load(), TRAINING, run=run)
    return run, folder / "table.csv"


@pytest.fixture
def run(trained):
    """The run; its table is as it was again afterwards."""
    yield trained[0]
    write_temperatures(trained[1])
    shutil.rmtree(trained[0].directory / "export", ignore_errors=True)


def hot_and_cold(folder):
    function = export.load_function(folder / export.FUNCTION)
    predicted = np.asarray(function(np.array([[15, 0], [18, 0], [22, 0], [25, 0]], np.float32)))
    return predicted.argmax(-1).tolist()


@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_a_model_is_exported_with_the_statistics_of_its_training(run, trained, change):
    if change == "deleted":
        trained[1].unlink()
    else:
        write_temperatures(trained[1], warmer=8)
    assert main(["export", str(run.directory)]) == 0
    classes = json.loads((run.directory / "export" / export.DESCRIPTION).read_text())["classes"]
    assert classes == ["cold", "hot"]
    assert hot_and_cold(run.directory / "export") == [0, 0, 1, 1]


def test_other_data_is_measured_with_the_statistics_of_the_training(run, trained, capsys):
    write_temperatures(trained[1], warmer=4)
    data = open_run(run.directory).load_data()
    assert data.preprocess == run.read_data().preprocess
    assert main(["evaluate", str(run.directory)]) == 0
    printed = capsys.readouterr().out
    accuracy = float(printed.split("test ")[1].split()[1])
    assert accuracy > 0.95
    assert "summary.json says otherwise" in printed


def test_training_goes_on_with_the_data_it_began_with(run, trained):
    write_temperatures(trained[1], warmer=8)
    longer = Training(epochs=16, batch_size=20)
    data = run.read_config().data
    with pytest.raises(UserError, match=r"the mean 28\.19\d*, the run was trained with 20\.19"):
        fit(LEARNER, data.load(), longer, run=run, resume=True)
