"""Members of a population are what the same experiments are alone."""

import dataclasses

import jax
import numpy as np
import pytest
from marks import slow

from nnjax import fields
from nnjax.cli.runs import open_run
from nnjax.data import Copy, Digits, Text
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import FullBatch, Supervised
from nnjax.models import CNN, MLP, LanguageModel, SequenceTagger
from nnjax.optimizers import SGD, Adam
from nnjax.schedules import Cosine
from nnjax.solvers import LBFGS
from nnjax.sweeps import Search, Sweep
from nnjax.sweeps.record.study import PROGRAM
from nnjax.training import Experiment, Training
from nnjax.training.snapshot import read_trained


def trained(run):
    opened = open_run(run)
    return read_trained(opened.experiment, opened.run, opened.load_data())[1]


def assert_members_equal_runs_alone(swept, alone, assert_same_records, tolerance=2e-5):
    for trial in swept.study.trials():
        member = swept.directory.open_trial(trial.number)
        run = alone(member.read_config())
        assert_same_records(member, run, tolerance)
        summaries = member.read_summary(), run.read_summary()
        for name in ("status", "steps", "best_step", "parameters", "epochs"):
            assert summaries[0][name] == summaries[1][name]
        for split in ("train", "validation", "test"):
            for metric, value in summaries[1].get(split, {}).items():
                np.testing.assert_allclose(summaries[0][split][metric], value, rtol=tolerance)
        ours, theirs = trained(member.directory), trained(run.directory)
        for one, other in zip(
            jax.tree.leaves(ours.params), jax.tree.leaves(theirs.params), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def programs(swept):
    return {trial.user_attrs[PROGRAM] for trial in swept.study.trials()}


@pytest.mark.parametrize(
    "shared",
    [True, *slow(False)],
    ids=["shared data order", "own data order"],
)
def test_every_number_at_once(digits, sweep_to_end, alone, assert_same_records, shared):
    optimizer = Adam(learning_rate=0.003, weight_decay=0.01, clip_norm=1.0, schedule=Cosine())
    learner = dataclasses.replace(digits.learner, optimizer=optimizer, l2=0.001)
    labels = {
        "optimizer.learning_rate": (0.001, 0.01),
        "optimizer.weight_decay": (0.01, 0.1),
        "model.dropout": (0.0, 0.3),
        "seed": (0, 3),
    }
    sweep = Sweep(
        experiment=dataclasses.replace(digits, learner=learner),
        over=labels,
        # Every number changed at once, and none.
        allowed=lambda point: sum(labels[path].index(x) for path, x in point.items()) in (0, 4),
        search=Search(shared_data_order=shared),
    )
    swept = sweep_to_end(sweep)
    assert programs(swept) == {0}
    assert swept.study.counts() == {"complete": 2}
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


@pytest.mark.parametrize(
    ("path", "values"), [("l2", (0, 0.5)), *slow(("optimizer.learning_rate", (1, 0.5)))]
)
def test_a_whole_number_first_leaves_the_others_as_they_are(
    quick, sweep_to_end, alone, assert_same_records, path, values
):
    swept = sweep_to_end(
        Sweep(experiment=quick, over={path: values}, search=Search(members=len(values)))
    )
    assert programs(swept) == {0}
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


def small_cnn():
    return Experiment(
        data=Digits(),
        learner=Supervised(
            CNN(features=(4,), kernel_sizes=(3,), hidden=(10,)), optimizer=SGD(learning_rate=0.1)
        ),
        training=Training(epochs=1, batch_size=64),
    )


def small_recurrent(cell):
    return Experiment(
        data=Copy(delay=5, symbols=2, alphabet=4, train=300, validation=50, test=50),
        learner=Supervised(
            SequenceTagger(recurrent=Recurrent(cell), dropout=0.1),
            optimizer=Adam(learning_rate=0.01),
        ),
        training=Training(steps=20, batch_size=16),
    )


def lanes(path):
    path.write_text("to be or not to be, that is the question: " * 60)
    return Experiment(
        data=Text(path=path, length=10, lanes=8, test=0.0),
        learner=Supervised(
            LanguageModel(recurrent=Recurrent(GRUCell(8))),
            optimizer=Adam(learning_rate=0.01),
        ),
        training=Training(epochs=2, batch_size=8),
    )


@pytest.mark.slow
def test_convolutional_nets(sweep_to_end, alone, assert_same_records):
    swept = sweep_to_end(
        Sweep(experiment=small_cnn(), over={"optimizer.learning_rate": (0.03, 0.1), "seed": (0, 1)})
    )
    assert programs(swept) == {0}
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 3], ids=["one by one", "at once"])
def test_recurrent_nets(members, sweep_to_end, alone, assert_same_records):
    sweep = Sweep(
        experiment=small_recurrent(LSTMCell(8)),
        over={"model.dropout": (0.0, 0.1, 0.4)},
        search=Search(members=members),
    )
    swept = sweep_to_end(sweep)
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


@pytest.mark.slow
def test_states_carried_from_batch_to_batch(tmp_path, sweep_to_end, alone, assert_same_records):
    experiment = lanes(tmp_path / "text.txt")
    swept = sweep_to_end(
        Sweep(experiment=experiment, over={"optimizer.learning_rate": (0.003, 0.01, 0.03)})
    )
    assert programs(swept) == {0}
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


@pytest.mark.slow
def test_solvers_on_the_full_batch(sweep_to_end, alone, assert_same_records):
    experiment = Experiment(
        data=Digits(),
        learner=FullBatch(MLP(features=(4,)), solver=LBFGS()),
        training=Training(steps=5, batch_size=0),
    )
    swept = sweep_to_end(Sweep(experiment=experiment, over={"l2": (0.001, 0.01), "seed": (0, 1)}))
    assert_members_equal_runs_alone(swept, alone, assert_same_records, tolerance=1e-3)


@pytest.mark.slow
def test_early_stopping_and_refilled_lanes(
    digits, with_training, sweep_to_end, alone, assert_same_records
):
    experiment = with_training(digits, epochs=30, patience=2, monitor="validation loss")
    sweep = Sweep(
        experiment=experiment,
        over={"optimizer.learning_rate": (0.003, 0.01, 0.03, 0.05)},
        search=Search(members=2),
    )
    swept = sweep_to_end(sweep)
    steps = {swept.directory.open_trial(n).read_summary()["steps"] for n in range(4)}
    assert len(steps) > 2, "all ended at once"
    assert_members_equal_runs_alone(swept, alone, assert_same_records)


def test_a_diverged_member_does_not_touch_its_neighbours(
    digits, sweep_to_end, alone, assert_same_records
):
    learner = dataclasses.replace(digits.learner, optimizer=SGD(learning_rate=0.1))
    experiment = dataclasses.replace(digits, learner=learner)
    experiment = fields.replace(experiment, {"model.activation": "relu", "checkpoint_seconds": 0})
    swept = sweep_to_end(
        Sweep(experiment=experiment, over={"optimizer.learning_rate": (0.1, 1e30, 0.05)})
    )
    assert swept.study.counts() == {"complete": 2, "fail": 1}
    failed = swept.study.trials()[1]
    assert "NaN or infinite at step" in failed.user_attrs["reason"]
    broken = swept.directory.open_trial(1)
    assert broken.status == "diverged"
    # Its first update breaks it; it may have waited for a lane, and been saved there, before.
    assert {path.name for path in broken.checkpoints.iterdir()} <= {"0"}
    for number in (0, 2):
        member = swept.directory.open_trial(number)
        assert_same_records(member, alone(member.read_config()))


@pytest.mark.slow
def test_members_spread_over_devices(digits, tmp_path, alone, assert_same_records):
    from nnjax.sweeps import run_sweep

    sweep = Sweep(experiment=digits, over={"seed": (0, 1, 2, 3, 4)}, search=Search(members=8))
    swept = run_sweep(sweep, tmp_path / "spread", spread=4)
    assert swept.study.counts() == {"complete": 5}
    assert_members_equal_runs_alone(swept, alone, assert_same_records)
