"""``nnjax sweep-report``: tables, CSV, figures, and a command that gives the winner again."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest

from nnjax.cli import files, options, sweep_options, sweep_winner
from nnjax.cli.commands import sweep_report
from nnjax.cli.main import main
from nnjax.errors import UserError
from nnjax.runs import config_json
from nnjax.runs.run import Run
from nnjax.sweeps.plan.space import grid
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import Result
from nnjax.sweeps.report.seeds import combine

FIGURES = ["learning_curves", "hyperparameters", "parallel_coordinates"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two learning rates by three seeds, of one neuron."""
    directory = tmp_path_factory.mktemp("sweeps") / "blobs"
    words = ["sweep", "blobs", "--over", "optimizer.learning-rate", "0.0001", "0.01"]
    words += ["--over", "seed", "0..2", "--epochs", "4", "--evaluate-every", "1", "--quiet"]
    words += ["--members", "6"]
    assert main([*words, "--sweep-dir", str(directory)]) == 0
    return directory


@pytest.fixture
def copied(swept, tmp_path):
    """A copy of the sweep, to be damaged."""
    return shutil.copytree(swept, tmp_path / "copied", ignore=shutil.ignore_patterns("report"))


def summary(directory):
    return Run.open(directory).read_summary()


def commands(out):
    return [line.strip() for line in out.splitlines() if line.startswith("  nnjax train ")]


def assert_same_result(words, trial, run, nnjax):
    """Carries out a command and compares what it gives with a trial, to rounding."""
    done = nnjax(*shlex.split(words)[1:], "--run-dir", run, "--quiet")
    assert done.status == 0, done.err
    ours, theirs = summary(run), summary(trial)
    assert ours["steps"] == theirs["steps"]
    splits = [split for split in ("train", "validation", "test") if split in theirs]
    assert splits
    for split in splits:
        assert ours[split] == pytest.approx(theirs[split], rel=2e-5, abs=1e-6)


def files_but_reports(directory):
    return {
        path: path.read_bytes()
        for path in Path(directory).rglob("*")
        if path.is_file() and "report" not in path.relative_to(directory).parts
    }


def test_tables_files_and_nothing_else(swept, nnjax):
    before = files_but_reports(swept)
    done = nnjax("sweep-report", swept)
    assert done.status == 0, done.err
    assert files_but_reports(swept) == before
    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["trial", "learning_rate", "seed", "train"]
    values = [float(line.split()[3]) for line in lines[1:7]]
    assert values == sorted(values)
    heading = lines.index(next(line for line in lines if "mean" in line))
    assert lines[heading].split() == ["learning_rate", "mean", "std", "n", "best", "worst"]
    assert [line.split()[3] for line in lines[heading + 1 : heading + 3]] == ["3", "3"]
    report = swept / "report"
    for name in (*FIGURES, "importance"):
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert str(report / "figures" / f"{name}.png") in done.out
    with open(report / "results.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 6
    for row in rows:
        assert float(row["train_loss"]) == summary(row["directory"])["train"]["loss"]


def test_the_command_gives_the_winner_again(swept, nnjax, tmp_path):
    out = nnjax("sweep-report", swept, "--csv", tmp_path / "a.csv", "--figures", tmp_path).out
    with open(tmp_path / "a.csv", newline="") as lines:
        best = min(csv.DictReader(lines), key=lambda row: float(row["train_loss"]))
    assert f"trial {best['number']}, the best" in out
    assert f"the trial itself is in {best['directory']}" in out
    assert_same_result(commands(out)[-1], best["directory"], tmp_path / "run", nnjax)
    assert (tmp_path / "hyperparameters.png").is_file()


def test_the_winner_of_an_own_file_with_classes_of_its_own(config_file, nnjax, tmp_path):
    words = ["--over", "model.width", "2", "3", "--over", "optimizer", "adam"]
    swept = tmp_path / "swept"
    assert nnjax("sweep", config_file.name, *words, "--sweep-dir", swept, "--quiet").status == 0
    out = nnjax("sweep-report", swept, "--top", "1").out
    (command,) = commands(out)
    assert shlex.split(command)[2] == str(config_file)
    number = int(out.splitlines()[1].split()[0])
    assert_same_result(command, swept / "trials" / f"{number:04d}", tmp_path / "run", nnjax)
    # Edited since: only the sweep's copy gives the same.
    config_file.write_text(config_file.read_text().replace("batch_size=10", "batch_size=20"))
    (command,) = commands(nnjax("sweep-report", swept).out)
    assert shlex.split(command)[2] == str(swept / "config.py")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blobs", "--over l2 0 0.1 --epochs=3 --members 2 --sampler=grid --quiet"),
        ("blobs", "--over optimizer sgd adam --over optimizer.learning-rate 0.1 1e-05"),
        ("blobs", "--optimizer.momentum 0.5 --optimizer.learning-rate 2 --over optimizer adam sgd"),
        ("blobs", "--optimizer adam --optimizer.b1 0.5 --over optimizer.b2 0.9 0.99"),
        ("blobs", "--over optimizer.nesterov true false --over evaluate-train false true"),
        ("blobs", "--optimizer.nesterov --over optimizer.nesterov true false"),
        ("blobs", "--no-evaluate-train --over optimizer.schedule constant cosine"),
        ("blobs", "--over data-seed None 3 --over monitor none --over steps 5 7"),
        ("blobs", "--shared-data-order --over seed 0..2 --epochs 2"),
        ("cnn2", "--over model.features '4' '4 8' --over model.dropout 0 0.5"),
        ("mnist_small", "--over l2 log:1e-3..1:3 --data-dir /nowhere/of/it"),
    ],
)
def test_every_trial_has_a_command_that_says_the_same(name, words, tmp_path):
    module = files.load(files.find_config(name))
    parsed = sweep_options.parse(module, shlex.split(words), "nnjax sweep")
    settings = {"words": parsed.words, "over": parsed.over, "file": None}
    directory = SweepDirectory.create(name, settings, directory=tmp_path / "s")
    for labels in grid(parsed.sweep.space):
        experiment = parsed.sweep.trial(labels).experiment
        trial = Result(0, "complete", "", 0, labels, 1.0, {}, tmp_path)
        told = shlex.split(sweep_winner.command(directory, trial, experiment))
        assert told[:3] == ["nnjax", "train", name]
        again = options.parse(files.read_config(module), told[3:], "nnjax train").experiment
        assert config_json.to_json(again) == config_json.to_json(experiment)


def test_no_command_where_none_gives_the_winner(copied, nnjax):
    settings = json.loads((copied / "sweep.json").read_text())
    del settings["words"]
    (copied / "sweep.json").write_text(json.dumps(settings))
    out = nnjax("sweep-report", copied).out
    assert commands(out) == []
    assert "as the sweep was begun from Python" in out
    assert str(copied / "trials") in out.splitlines()[-1]


def test_settings_that_are_no_options_have_no_command(tmp_path):
    module = files.load(files.find_config("blobs"))
    parsed = sweep_options.parse(module, ["--over", "l2", "0"], "nnjax sweep")
    directory = SweepDirectory.create(
        "blobs", {"words": [], "file": None}, directory=tmp_path / "s"
    )
    other = files.read_config(files.load(files.find_config("circles")))
    trial = Result(0, "complete", "", 0, {}, 1.0, {}, tmp_path)
    with pytest.raises(UserError, match="cannot all be given as options"):
        sweep_winner.command(directory, trial, other)
    assert sweep_winner.command(directory, trial, parsed.sweep.experiment).startswith("nnjax train")


def test_a_sweep_that_is_not_done_yet(copied, nnjax):
    """As it stands after a kill: the record ends in the middle of a line, a run has no summary."""
    journal = (copied / "journal.log").read_bytes().splitlines(keepends=True)
    ends = [at for at, line in enumerate(journal) if b'"values":[' in line]
    (copied / "journal.log").write_bytes(b"".join(journal[: ends[2]]) + journal[ends[2]][:20])
    done = nnjax("sweep-report", copied)
    assert done.status == 0, done.err
    assert "6 trials: 2 complete, 4 running" in done.out
    assert "no importance: it takes 5 complete trials, and there are 2" in done.out
    assert all((copied / "report" / "figures" / f"{name}.png").is_file() for name in FIGURES)
    (copied / "journal.log").write_bytes(b"".join(journal[: ends[0]]))
    assert "no complete trial to report of yet: 6 trials: " in nnjax("sweep-report", copied).err


def test_mistakes_are_a_sentence(copied, refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "is no sweep" in refused("sweep-report", tmp_path / "empty")
    assert "is no sweep" in refused("sweep-report", tmp_path / "nowhere")
    assert refused("sweep-report").startswith("nnjax sweep-report needs the directory of the sweep")
    assert "--top must be at least 1, not 0" in refused("sweep-report", copied, "--top", "0")
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused("sweep-report", copied, "--csv", tmp_path / "file" / "a.csv")
    (copied / "journal.log").rename(copied / "elsewhere")
    assert "has no trials yet" in refused("sweep-report", copied)
    assert not (copied / "journal.log").exists()
    (copied / "journal.log").write_text("nonsense\nnonsense\n")
    assert f"the record of {copied} is damaged" in refused("sweep-report", copied)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"name": "blobs", "search": 3}'])
def test_damaged_settings_are_a_sentence(content, copied, refused):
    (copied / "sweep.json").write_text(content)
    assert "sweep.json is damaged" in refused("sweep-report", copied)


def test_a_lucky_seed_is_not_the_only_winner():
    def made(number, value, width, seed):
        labels = {"model.width": width, "seed": seed}
        return Result(number, "complete", "", 0, labels, value, {}, Path())

    lucky = [made(0, 0.9, 4, 0), made(2, 0.8, 8, 0), made(3, 0.7, 8, 1), made(1, 0.1, 4, 1)]
    rows = combine(lucky, maximize=True)
    found = sweep_report._winners(lucky, rows)
    assert {about: one.number for about, one in found.items()} == {
        "the best of those with the best mean": 2,
        "the best of all": 0,
    }
    assert sweep_report._winners(lucky[1:], rows) == {"the best": lucky[1]}
    assert sweep_report._winners(lucky, []) == {"the best": lucky[0]}
