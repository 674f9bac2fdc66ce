"""Results of a sweep as they were measured: rank, spread over seeds, CSV, importance, figures."""

import csv
import dataclasses
import statistics
from pathlib import Path

import pytest
from rich.console import Console

from nnjax import fields
from nnjax.data import Beach
from nnjax.learners import Supervised
from nnjax.models import SingleNeuron
from nnjax.optimizers import SGD
from nnjax.sweeps import Search, Sweep, Values, run_sweep
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.record.importance import importances
from nnjax.sweeps.record.results import Result, open_study, results
from nnjax.sweeps.record.results_csv import write_csv
from nnjax.sweeps.report import report as reports
from nnjax.sweeps.report.report_figures import draw_figures
from nnjax.sweeps.report.seeds import combine
from nnjax.training import Experiment, Training

RATES = (0.01, 0.1, 1.0)
SEEDS = (0, 1, 2)
NEURON = Experiment(
    data=Beach(),
    learner=Supervised(
        SingleNeuron(weights_init="normal"),
        loss="perceptron",
        optimizer=SGD(learning_rate=0.1),
        reduction="sum",
    ),
    training=Training(epochs=3, batch_size=0, monitor="train loss"),
)
OVER = {"optimizer.learning_rate": RATES, "seed": SEEDS}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Three learning rates by three seeds, to the end."""
    return run_sweep(Sweep(experiment=NEURON, over=OVER), tmp_path_factory.mktemp("swept") / "s")


@pytest.fixture(scope="module")
def two_trials(tmp_path_factory):
    sweep = Sweep(experiment=NEURON, over={"optimizer.learning_rate": (0.1, 0.2)})
    return run_sweep(sweep, tmp_path_factory.mktemp("swept") / "s")


@pytest.fixture
def unfinished(two_trials, copied):
    """One trial of each state: two complete, one pruned, failed, running and waiting."""
    swept = copied(two_trials)
    values = Values((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    for rate in (0.3, 0.4, 0.5, 0.6):
        swept.study.add(
            {"optimizer.learning_rate": rate}, {"optimizer.learning_rate": values.distribution()}
        )
    for number in (2, 3, 4):
        swept.study.note(number, "program", 0)
    assert len(swept.study.claim(0, 3, "somebody")) == 3
    swept.study.prune(2)
    swept.study.fail(3, "the loss became NaN [step 7]")
    return swept


def printed(renderable, width=100):
    console = Console(width=width)
    with console.capture() as heard:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in heard.get().splitlines())


def snapshot(directory):
    """Every file with its bytes and the time of its last change."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in Path(directory).rglob("*")
        if path.is_file()
    }


def made(number, value, state="complete", metrics=None, **labels):
    summary = {"train": metrics or {}}
    return Result(number, state, "", 0, labels, value, summary, Path(f"trials/{number:04d}"))


def test_the_best_trial_is_first_and_each_has_what_its_run_measured(swept):
    found = results(swept.directory, swept.study)
    assert sorted(one.number for one in found) == list(range(9))
    values = [one.value for one in found]
    assert values == sorted(values)
    for one in found:
        summary = swept.directory.open_trial(one.number).read_summary()
        assert one.value == summary["train"]["loss"] == one.metrics["train_loss"]
        experiment = swept.directory.open_trial(one.number).read_config()
        assert all(fields.get(experiment, path) == label for path, label in one.labels.items())


def test_table_has_other_metrics_as_far_as_there_is_room(swept):
    wide = printed(reports.table(swept.directory, swept.study, swept.objective))
    assert wide.split("\n")[0].split() == [
        *("trial", "learning_rate", "seed", "train", "loss", "train", "accuracy")
    ]
    narrow = reports.table(
        swept.directory, swept.study, swept.objective, 4, console=Console(width=45)
    )
    lines = printed(narrow).splitlines()
    assert "accuracy" not in lines[0]
    assert lines[5].startswith("9 trials: 9 complete")


def test_table_tells_how_trials_ended_whatever_the_reason_says(unfinished):
    text = printed(reports.table(unfinished.directory, unfinished.study, unfinished.objective))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[3:7]] == ["2", "3", "4", "5"]
    assert [line.split()[2] for line in lines[5:7]] == ["running", "waiting"]
    assert lines[3].endswith("pruned")
    assert lines[4].endswith("the loss became NaN [step 7]")
    assert "6 trials: 2 complete, 1 pruned, 1 failed, 1 running, 1 waiting" in text


def test_mean_and_deviation_over_seeds(swept):
    rows = reports.over_seeds(swept.directory, swept.study, swept.objective)
    assert {row.labels["optimizer.learning_rate"] for row in rows} == set(RATES)
    means = [row.objective.mean for row in rows]
    assert means == sorted(means)
    found = results(swept.directory, swept.study)
    for row in rows:
        rate = row.labels["optimizer.learning_rate"]
        own = [one for one in found if one.labels["optimizer.learning_rate"] == rate]
        values = [one.value for one in own]
        assert row.objective.mean == pytest.approx(sum(values) / 3)
        assert row.objective.deviation == pytest.approx(statistics.stdev(values))
        assert (row.objective.low, row.objective.high) == (min(values), max(values))
        assert row.trials == tuple(one.number for one in own)
        accuracies = [one.metrics["train_accuracy"] for one in own]
        assert row.metrics["train_accuracy"].mean == pytest.approx(sum(accuracies) / 3)


def test_trials_without_a_result_are_counted_among_their_seeds():
    found = [
        made(0, 0.9, width=8, seed=0),
        made(1, 0.7, width=8, seed=1),
        made(2, 0.5, width=4, seed=0),
        made(3, None, "pruned", width=4, seed=1),
        made(4, None, "failed", width=8, seed=2),
        made(5, None, "waiting", width=2, seed=0),
    ]
    rows = combine(found, maximize=True)
    assert [row.labels for row in rows] == [{"width": 8}, {"width": 4}, {"width": 2}]
    assert rows[0].objective.mean == pytest.approx(0.8)
    assert rows[0].objective.deviation == pytest.approx(0.1 * 2**0.5)
    assert rows[1].objective.deviation is None
    assert rows[2].objective is None
    assert [dict(row.left_out) for row in rows] == [{"failed": 1}, {"pruned": 1}, {"waiting": 1}]
    text = printed(reports.seeds_table(rows, Objective("train", "accuracy")))
    assert [line.split() for line in text.splitlines()[:4]] == [
        ["width", "mean", "std", "n", "best", "worst"],
        ["8", "0.8000", "0.1414", "2", "0.9000", "0.7000", "1", "failed"],
        ["4", "0.5000", "1", "0.5000", "0.5000", "1", "pruned"],
        ["2", "0", "1", "waiting"],
    ]


def test_the_best_of_a_loss_is_the_least():
    found = [made(0, 0.1, rate=1, seed=0), made(1, 0.3, rate=1, seed=1)]
    text = printed(reports.seeds_table(combine(found, maximize=False), Objective("train", "loss")))
    assert text.splitlines()[1].split() == ["1", "0.2000", "0.1414", "2", "0.1000", "0.3000"]


def test_seeds_alone_have_a_row_for_each_metric():
    found = [
        made(0, 0.9, metrics={"accuracy": 0.9, "loss": 0.2}, seed=0),
        made(1, 0.7, metrics={"accuracy": 0.7, "loss": 0.4}, seed=1),
    ]
    objective = Objective("train", "accuracy")
    text = printed(reports.seeds_table(combine(found, maximize=True), objective))
    assert [line.split() for line in text.splitlines()[1:3]] == [
        ["train", "accuracy", "0.8000", "0.1414", "2", "0.9000", "0.7000"],
        ["train", "loss", "0.3000", "0.1414", "2", "0.2000", "0.4000"],
    ]


def test_seeds_matter_where_trials_differ_in_nothing_else():
    alone = [made(0, 0.9, width=8, seed=0), made(1, 0.7, width=4, seed=1)]
    assert not reports.has_seeds(alone)
    assert not reports.has_seeds([made(0, 0.9, width=8), made(1, 0.7, width=4)])
    assert reports.has_seeds([*alone, made(2, None, "running", width=8, data_seed=1)])
    assert reports.has_seeds([made(0, 0.9, seed=0), made(1, 0.7, seed=1)])


def test_short_names_stay_apart():
    names = reports.short_names(["model.l2", "optimizer.l2", "optimizer.learning_rate", "seed"])
    assert list(names.values()) == ["model.l2", "optimizer.l2", "learning_rate", "seed"]


def test_csv_reads_back_exactly(swept, tmp_path):
    found = results(swept.directory, swept.study)
    file = write_csv(found, tmp_path / "a" / "results.csv")
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["number"]) for row in rows] == list(range(9))
    by_number = {one.number: one for one in found}
    for row in rows:
        one = by_number[int(row["number"])]
        assert float(row["train_loss"]) == one.value
        assert float(row["optimizer.learning_rate"]) == one.labels["optimizer.learning_rate"]
        assert int(row["seed"]) == one.labels["seed"]
        assert (row["state"], row["program"], row["reason"]) == ("complete", "0", "")
        assert int(row["steps"]) == 3
        assert Path(row["directory"], "summary.json").is_file()


def test_csv_of_every_state_and_of_fields_that_bear_the_name_of_a_column(unfinished, tmp_path):
    file = write_csv(results(unfinished.directory, unfinished.study), tmp_path / "results.csv")
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    states = ["complete", "complete", "pruned", "failed", "running", "waiting"]
    assert [row["state"] for row in rows] == states
    assert rows[3]["reason"] == "the loss became NaN [step 7]"
    assert rows[5]["train_loss"] == ""
    odd = dataclasses.replace(made(0, 0.5, steps=100), summary={"steps": 40})
    header, line = write_csv([odd], tmp_path / "odd.csv").read_text().splitlines()
    named = dict(zip(header.split(","), line.split(","), strict=True))
    assert (named["steps"], named["run_steps"]) == ("100", "40")


def test_importance_finds_the_hyperparameter_that_matters(swept):
    shares, reason = importances(swept.study)
    assert reason == ""
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == {"optimizer.learning_rate", "seed"}
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert importances(swept.study)[0] == shares


def test_importance_of_too_little_says_why(unfinished):
    assert importances(unfinished.study) == (
        {},
        "it takes 5 complete trials, and there are 2",
    )


def test_figures_of_finished_and_unfinished_sweeps(swept, unfinished, tmp_path):
    names = ["learning_curves", "hyperparameters", "parallel_coordinates", "importance"]
    for one, expected in ((swept, names), (unfinished, names[:3])):
        found = results(one.directory, one.study)
        drawn = draw_figures(
            found, one.study, one.objective, "neuron", tmp_path / one.directory.name
        )
        assert [file.stem for file in drawn.files] == expected
        assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn.files)
        assert len(drawn.missing) == 4 - len(expected)


def test_pruned_trials_of_a_sampler_whose_ranges_are_logarithmic(tmp_path):
    def suggest(trial):
        rate = trial.suggest_float("rate", 1e-3, 1.0, log=True)
        return {"optimizer.learning_rate": rate, "seed": trial.suggest_int("seed", 0, 3)}

    search = Search(sampler="random", trials=8, at_once=4, pruner="median")
    swept = run_sweep(Sweep(experiment=NEURON, suggest=suggest, search=search), tmp_path / "s")
    found = results(swept.directory, swept.study)
    assert len(found) == 8
    assert all(one.value is None for one in found if one.state == "pruned")
    drawn = draw_figures(found, swept.study, swept.objective, "neuron", tmp_path / "figures")
    assert [file.stem for file in drawn.files][:3] == [
        *("learning_curves", "hyperparameters", "parallel_coordinates")
    ]


def test_reading_changes_nothing(unfinished):
    before = snapshot(unfinished.directory.directory)
    study, search = open_study(unfinished.directory)
    assert search.metric == "auto"
    found = results(unfinished.directory, study)
    assert [one.state for one in found].count("running") == 1
    importances(study)
    assert snapshot(unfinished.directory.directory) == before
