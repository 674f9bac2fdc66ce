"""Run directories: made whole or not at all, found again, nothing in them lost."""

import io
import json
import math
import os
import re

import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.data import Blobs
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.runs import json_files
from nnjax.runs.json_lines import JsonLines
from nnjax.runs.run import Run
from nnjax.training import Experiment, Training

EXPERIMENT = Experiment(data=Blobs(), learner=Supervised(MLP()), training=Training(steps=3, seed=7))


@pytest.fixture
def run(tmp_path):
    made = Run.create("it", EXPERIMENT, directory=tmp_path / "run")
    yield made
    made.close()


def test_a_new_directory_by_name_and_time(tmp_path):
    made = Run.create("blobs", EXPERIMENT, root=tmp_path)
    assert made.directory.parent == tmp_path / "blobs"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", made.directory.name)
    assert {path.name for path in made.directory.iterdir()} == {
        *("checkpoints", "figures", "tensorboard"),
        *("config.json", "environment.json", "summary.json"),
    }
    assert made.status == "running"
    assert made.config_file is None


def test_what_it_ran_with(run):
    environment = run.environment
    assert (environment["name"], environment["seed"]) == ("it", 7)
    assert {"nnjax", "python", "jax", "flax", "optax"} <= environment["versions"].keys()
    assert environment["backend"] == "cpu"
    assert len(environment["devices"]) == 4


def test_the_config_comes_back(run):
    assert Run.open(run.directory).read_config() == EXPERIMENT


def test_the_users_own_config_file_is_kept(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("# mine")
    made = Run.create("mine", EXPERIMENT, directory=tmp_path / "run", config_file=file)
    assert made.config_file.read_text() == "# mine"
    assert made.environment["config_file"] == str(file)


def test_a_config_file_that_has_gone_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        Run.create("it", EXPERIMENT, directory=tmp_path / "run", config_file=tmp_path / "gone.py")
    assert not (tmp_path / "run").exists()


def test_opened_by_any_path_and_the_newest_by_name(tmp_path):
    made = [Run.create("blobs", EXPERIMENT, root=tmp_path) for _ in range(3)]
    for age, each in enumerate(made):
        os.utime(each.directory / "config.json", (1000 + age, 1000 + age))
    assert Run.open(tmp_path / "blobs").directory == made[-1].directory
    assert Run.open(made[0].checkpoints / "120").directory == made[0].directory
    assert Run.open(made[0].directory).name == "blobs"


def test_a_directory_in_use(run, tmp_path):
    with pytest.raises(UserError, match="holds a run of this config already"):
        Run.create("it", EXPERIMENT, directory=run.directory)
    other = Experiment(data=Blobs(), learner=Supervised(MLP()), training=Training(steps=4, seed=7))
    with pytest.raises(UserError, match=r"another config \(training.steps: 3 there, 4 here\)"):
        Run.create("it", other, directory=run.directory)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no run"):
        Run.create("it", EXPERIMENT, directory=tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_what_a_killed_create_left_is_not_in_the_way(tmp_path):
    whole = Run.create("it", EXPERIMENT, directory=tmp_path / "run")
    (whole.directory / "config.json").rename(whole.directory / ".config.json.123")
    Run.create("it", EXPERIMENT, directory=whole.directory)
    assert whole.read_config() == EXPERIMENT


def test_an_unused_run_is_removed_and_no_other(tmp_path):
    for name, file in (("a", None), ("b", "metrics.jsonl"), ("c", "checkpoints/4/x")):
        made = Run.create("it", EXPERIMENT, directory=tmp_path / name)
        if file:
            (made.directory / file).parent.mkdir(exist_ok=True)
            (made.directory / file).write_text("{}\n")
        made.remove_unused()
    assert {path.name for path in tmp_path.iterdir()} == {"b", "c"}


# Records and summary -----------------------------------------------------------------------------


def test_records_are_exact(run):
    record = {"step": 3, "loss": 0.1 + 0.2, "nan": math.nan, "worst": -math.inf}
    run.append_metrics(record)
    run.append_metrics({"step": np.int32(4), "loss": jnp.float32(0.5), "best": math.inf})
    first, second = run.read_metrics()
    assert math.isnan(first.pop("nan"))
    assert first == {"step": 3, "loss": 0.1 + 0.2, "worst": -math.inf}
    assert second == {"step": 4, "loss": 0.5, "best": math.inf}
    for line in (run.directory / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_records_are_on_disk_at_once(run):
    run.append_metrics({"step": 1})
    assert (run.directory / "metrics.jsonl").read_bytes() == b'{"step": 1}\n'


def test_a_line_cut_off_by_a_kill_spoils_nothing(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'{"step": 1}\n{"step": 2, "lo')
    records = JsonLines(file)
    assert records.read() == [{"step": 1}]
    records.append({"step": 3})
    records.close()
    assert records.read() == [{"step": 1}, {"step": 3}]
    records.keep(lambda record: True)
    assert file.read_bytes() == b'{"step": 1}\n{"step": 3}\n'


def test_later_records_are_dropped(run):
    for step in (1, 2, 2, 3):
        run.append_metrics({"step": step})
    run.truncate_metrics(2)
    run.append_metrics({"step": 4})
    assert [record["step"] for record in run.read_metrics()] == [1, 2, 2, 4]


def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    records = JsonLines(tmp_path / "metrics.jsonl")
    monkeypatch.setattr(records, "_open", lambda: io.FileIO("/dev/full", "a"))
    with pytest.raises(UserError, match=r"metrics.jsonl: No space left on device; make room"):
        records.append({"step": 1})
    records.close()


def test_a_summary_is_written_whole_or_not_at_all(run, monkeypatch):
    run.write_summary({"status": "finished", "test": {"loss": math.nan}})
    assert math.isnan(run.read_summary()["test"]["loss"])

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=r"summary.json: No space left on device"):
        run.write_summary({"status": "failed"})
    assert run.status == "finished"
    assert not list(run.directory.glob(".summary*"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_files(run, content):
    for name, read in (("config.json", run.read_config), ("data.json", run.read_data)):
        (run.directory / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"^\S+/{name} is damaged"):
            read()
    with pytest.raises(UserError, match=r"remove that file: a run that goes on writes it anew$"):
        run.read_data()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]"])
def test_a_run_is_a_run_without_its_summary_and_environment(run, content):
    for name in ("summary.json", "environment.json"):
        (run.directory / name).unlink()
        if content is not None:
            (run.directory / name).write_bytes(content)
    opened = Run.open(run.directory)
    assert (opened.name, opened.status) == (run.directory.parent.name, "running")
    assert (opened.read_summary(), opened.environment) == ({}, {})
    assert opened.read_config() == EXPERIMENT


def test_plain_numbers():
    tree = {"a": (np.float32(0.5), jnp.arange(2)), "b": [math.inf, None, "x", True]}
    assert json_files.plain(tree) == {"a": [0.5, [0, 1]], "b": ["Infinity", None, "x", True]}
