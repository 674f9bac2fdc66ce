"""Sweeps from Python: samplers, pruners, conditions, constraints, going on."""

import dataclasses
from unittest.mock import Mock

import numpy as np
import optuna
import pytest
from marks import slow

from nnjax import fields
from nnjax.errors import UserError
from nnjax.optimizers import SGD, Adam
from nnjax.sweeps import Range, Search, Sweep
from nnjax.sweeps.record.study import REASON, REFUSED, Study


def values(swept):
    return [trial.value for trial in swept.study.trials()]


@pytest.mark.parametrize("sampler", ["tpe", *slow("random", "qmc", "cmaes")])
def test_samplers_draw_in_batches(quick, sweep_to_end, sampler):
    over = {
        "optimizer.learning_rate": Range(1e-3, 1.0, "log"),
        "l2": Range(0.0, 0.1),
    }
    search = Search(sampler=sampler, trials=6, at_once=4)
    swept = sweep_to_end(Sweep(experiment=quick, over=over, search=search))
    assert swept.study.counts() == {"complete": 6}
    rates = {trial.params["optimizer.learning_rate"] for trial in swept.study.trials()}
    assert len(rates) == 6
    assert all(1e-3 <= rate <= 1 for rate in rates)


@pytest.mark.slow
def test_the_same_seed_draws_the_same_trials(quick, sweep_to_end):
    search = Search(sampler="random", trials=3, sampler_seed=5)
    sweep = Sweep(
        experiment=quick, over={"optimizer.learning_rate": Range(0.01, 0.1)}, search=search
    )
    assert values(sweep_to_end(sweep, "one")) == values(sweep_to_end(sweep, "other"))


@pytest.mark.slow
def test_a_space_in_which_one_choice_opens_others(quick, sweep_to_end):
    def suggest(trial):
        momentum = trial.suggest_categorical("kind", ["plain", "momentum"]) == "momentum"
        drawn = {"optimizer.learning_rate": trial.suggest_float("rate", 0.01, 0.1, log=True)}
        if momentum:
            drawn["optimizer.momentum"] = trial.suggest_float("momentum", 0.5, 0.95)
        return drawn

    search = Search(sampler="random", trials=6)
    swept = sweep_to_end(Sweep(experiment=quick, suggest=suggest, search=search))
    assert swept.study.counts() == {"complete": 6}
    for trial in swept.study.trials():
        optimizer = swept.directory.open_trial(trial.number).read_config().learner.optimizer
        assert optimizer.learning_rate == trial.params["rate"]
        assert optimizer.momentum == trial.params.get("momentum", 0.0)


def test_what_is_not_allowed_is_not_tried(quick, sweep_to_end):
    over = {"optimizer.learning_rate": Range(0.01, 0.1), "optimizer.momentum": Range(0.1, 0.9)}
    sweep = Sweep(
        experiment=quick,
        over=over,
        allowed=lambda point: point["optimizer.momentum"] < 0.5,
        search=Search(sampler="random", trials=4),
    )
    swept = sweep_to_end(sweep)
    assert swept.study.counts() == {"complete": 4}
    for trial in swept.study.trials():
        assert bool(trial.user_attrs.get(REFUSED)) == (trial.params["optimizer.momentum"] >= 0.5)


def test_a_pruner_gives_up_what_falls_behind(digits, with_training, sweep_to_end):
    sweep = Sweep(
        experiment=with_training(digits, epochs=8),
        over={"optimizer.learning_rate": (0.003, 0.01, 1e-4, 3e-4, 1e-5, 5e-4)},
        search=Search(pruner="successive_halving", members=2),
    )
    swept = sweep_to_end(sweep)
    assert swept.study.best().params == {"optimizer.learning_rate": 0.01}
    (pruned,) = [t for t in swept.study.trials() if t.state.name == "PRUNED"]
    assert pruned.params == {"optimizer.learning_rate": 1e-5}
    run = swept.directory.open_trial(pruned.number)
    assert run.status == "pruned"
    assert run.read_metrics()[-1]["epoch"] < 8


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_pruners_compare_after_equal_numbers_of_epochs(
    digits, with_training, sweep_to_end, pruner, monkeypatch
):
    """Trials of small batches are the best here, and have made the most updates in each epoch."""
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: False)
    learner = dataclasses.replace(digits.learner, optimizer=SGD(learning_rate=0.01))
    experiment = with_training(dataclasses.replace(digits, learner=learner), epochs=2.5)
    sweep = Sweep(
        experiment=experiment,
        over={"batch_size": (400, 37), "evaluate_every": (1.0, 0.5)},
        search=Search(pruner=pruner),
    )
    swept = sweep_to_end(sweep)
    steps = [list(trial.intermediate_values) for trial in swept.study.trials()]
    # In halves of an epoch.
    assert steps == [[2, 4, 6], [1, 2, 3, 4, 5]] * 2


def test_what_is_finished_is_not_run_twice(quick, sweep_to_end):
    sweep = Sweep(experiment=quick, over={"seed": (0, 1, 2)})
    first = sweep_to_end(sweep)
    times = [(first.directory.trial(n) / "metrics.jsonl").stat().st_mtime_ns for n in range(3)]
    again = sweep_to_end(sweep)
    assert [
        (again.directory.trial(n) / "metrics.jsonl").stat().st_mtime_ns for n in range(3)
    ] == times
    assert again.study.counts() == {"complete": 3}


def test_a_sweep_that_is_refused_is_not_in_the_way_of_the_next(quick, sweep_to_end):
    over = {"l2": Range(0.0, 0.1)}
    with pytest.raises(UserError, match="needs the number of points"):
        sweep_to_end(Sweep(experiment=quick, over=over))
    over = {"l2": Range(0.0, 0.1, count=2)}
    with pytest.raises(UserError, match="monitor 'test speed' is not"):
        sweep_to_end(Sweep(experiment=quick, over=over, search=Search(metric="test speed")))
    swept = sweep_to_end(Sweep(experiment=quick, over=over))
    assert swept.study.counts() == {"complete": 2}


def test_what_was_begun_is_kept_where_going_on_is_refused(quick, sweep_to_end, monkeypatch):
    sweep = Sweep(experiment=quick, over={"seed": (0,)})
    begun = sweep_to_end(sweep)
    monkeypatch.setattr(Study, "owners", Mock(side_effect=UserError("the disk is full")))
    with pytest.raises(UserError, match="the disk is full"):
        sweep_to_end(sweep)
    assert begun.directory.open_trial(0).status == "finished"


def test_another_sweep_in_the_directory_is_refused(quick, sweep_to_end):
    sweep_to_end(Sweep(experiment=quick, over={"seed": (0,)}))
    with pytest.raises(UserError, match="holds another sweep; choose another --sweep-dir"):
        sweep_to_end(Sweep(experiment=quick, over={"seed": (0, 1)}))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"trials": 3}, "a grid has its own number of trials, not 3"),
        ({"sampler": "tpe"}, "--sampler tpe needs the number of trials"),
        ({"members": -1}, "members must be at least 0, not -1"),
    ],
)
def test_options_that_do_not_fit(options, sentence):
    with pytest.raises(UserError) as refused:
        Search(**options)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("path", ["batch_size", "optimizer.accumulation_steps", "data_seed"])
def test_a_fraction_in_a_field_of_whole_numbers_is_refused(quick, path):
    sentence = f"{path} must be a whole number( or None)?, not 2.5"
    with pytest.raises(UserError, match=sentence):
        Sweep(experiment=quick, over={path: (1, 2.5)})
    sweep = Sweep(experiment=quick, over={path: Range(2, 3, count=3)})
    with pytest.raises(UserError, match=sentence):
        sweep.trial({path: 2.5})
    whole = fields.get(sweep.trial({path: 3.0}).experiment, path)
    assert (type(whole), whole) == (int, 3)


@pytest.mark.parametrize(
    ("path", "values", "sentence"),
    [
        ("l2", ("0.1", 0.2), "l2 must be a number, not '0.1'"),
        (
            "optimizer",
            ("adam", "sgd"),
            "optimizer must be a value of type Optimizer or a function, not 'adam'",
        ),
        ("model.features", (3, 4), "model.features must be of type tuple"),
        ("batch_size", 5, "the values of batch_size are given as several, not as 5"),
        ("model.activation", "relu", "the values of model.activation are given as several, not "),
    ],
)
def test_values_of_another_type_are_refused(quick, path, values, sentence):
    with pytest.raises(UserError) as refused:
        Sweep(experiment=quick, over={path: values})
    assert str(refused.value).startswith(sentence)


def test_values_may_be_lists_and_numbers_of_numpy(quick):
    over = {"model.features": ([3], (4, 4)), "seed": np.arange(2)}
    sweep = Sweep(experiment=quick, over=over)
    assert sweep.trial({"model.features": "[3]", "seed": 1}).experiment.learner.model.features == (
        3,
    )
    assert sweep.space["seed"].points() == (0, 1)


def test_a_field_may_be_one_that_another_value_brings(quick):
    """Also where its value is a whole number by chance."""
    sweep = Sweep(experiment=quick, suggest=Mock(), search=Search(sampler="random", trials=1))
    chosen = {"optimizer": Adam(), "optimizer.b1": 0.0, "optimizer.accumulation_steps": 2.0}
    optimizer = sweep.trial(chosen).experiment.learner.optimizer
    assert optimizer == Adam(b1=0.0, accumulation_steps=2)
    with pytest.raises(UserError, match=r"optimizer\.b1 must be a number, not '0'"):
        sweep.trial({"optimizer": Adam(b1="0")})


def test_a_value_that_does_not_fit_fails_its_trial_alone(quick, sweep_to_end):
    swept = sweep_to_end(Sweep(experiment=quick, over={"batch_size": (-1, 50)}))
    assert swept.study.counts() == {"complete": 1, "fail": 1}
    (failed,) = (trial for trial in swept.study.trials() if trial.state.name == "FAIL")
    assert failed.user_attrs[REASON] == "batch_size must not be negative, it is -1"


def test_an_unknown_field_names_the_nearest(quick):
    with pytest.raises(UserError, match="did you mean 'learning_rate'"):
        Sweep(experiment=quick, over={"optimizer.learning_rat": (0.1,)})
