"""Records with fields of other types, and files that are no records: a sentence, or nothing."""

import json
import os
from contextlib import nullcontext

import pytest
from rich.console import Console

from nnjax.cli.commands import compare
from nnjax.cli.runs import Opened, open_run
from nnjax.cli.scripts import has_ended
from nnjax.data import Circles
from nnjax.errors import UserError
from nnjax.figures.learning_curves import read_curves
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.runs import data_json
from nnjax.runs.run import Run
from nnjax.training import Experiment, Training
from nnjax.training.progress import result_table

EXPERIMENT = Experiment(
    data=Circles(examples=50), learner=Supervised(MLP(features=(3,))), training=Training(steps=4)
)
SUMMARY = {
    "status": "finished",
    "train": {"loss": 0.5, "accuracy": 1.0},
    "test": {"loss": "NaN"},
    "bleu": {"greedy": 12.5},
    **{"steps": 4, "step": 4, "best_step": 2, "parameters": 12, "epochs": 1.5},
    **{"seconds": 1.5, "training_seconds": 1.0, "compile_seconds": 0.5, "examples_per_second": 9.0},
}
METRICS = {"step": 4, "epoch": 1.5, "split": "test", "loss": 0.5, "accuracy": 1.0}
VALUES = (
    *(None, True, 0, -3, 10**400, 0.5, "", "text", "NaN", "a\0b", "\ud800"),
    *([], [1], [[]], {}, {"a": 1}, {"a": {"b": []}}),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Run.create("it", EXPERIMENT, directory=tmp_path_factory.mktemp("runs") / "run")
    made.record_data(EXPERIMENT.data.load())
    made.write_summary(SUMMARY)
    made.append_metrics(METRICS)
    (made.directory / "script.json").write_text('{"status": "ended"}')
    made.close()
    return made


def use(run):
    """Reads every record as the commands do, and shows what they show."""
    opened = open_run(run.directory)
    console = Console(file=open(os.devnull, "w"), width=1000)  # noqa: SIM115
    with console.file:
        summary = opened.run.read_summary()
        console.print(result_table(summary))
        parts = [Opened(opened.run, EXPERIMENT, None)]
        console.print(compare._table(parts, compare._labels(parts), 100))
        assert opened.run.status in ("finished", "running") or summary
    read_curves(opened.run.read_metrics())
    opened.run.read_timings()
    has_ended(opened.run)
    opened._elsewhere()
    saved = opened.run.read_data()
    saved.example(2)
    data_json.check_same(saved, EXPERIMENT.data.load(), sizes=True)


def variants(value):
    """The same JSON with one value replaced, for each value in it and each type."""
    yield from VALUES
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items if isinstance(value, dict | list) else ():
        for variant in variants(item) if isinstance(item, dict | list) else VALUES:
            copy = value.copy()
            copy[name] = variant
            yield copy
        if isinstance(value, dict):
            yield {other: value[other] for other in value if other != name}


@pytest.mark.parametrize(
    "name", ["summary.json", "environment.json", "script.json", "data.json", "metrics.jsonl"]
)
def test_each_field_of_each_type_is_used_or_refused_in_a_sentence(run, name):
    file = run.directory / name
    original = file.read_text()
    refused, used = [], 0
    try:
        for variant in variants(json.loads(original)):
            file.write_text(json.dumps(variant) + "\n")
            try:
                use(run)
            except UserError as error:
                refused.append(str(error))
            else:
                used += 1
    finally:
        file.write_text(original)
    use(run)
    # Summary and environment are dispensable: damaged ones count as missing.
    assert bool(refused) == (name in ("script.json", "data.json", "metrics.jsonl"))
    assert used + len(refused) > 20
    for sentence in refused:
        assert "\n" not in sentence
        assert name in sentence or "the data has" in sentence or " split has " in sentence


@pytest.mark.parametrize(
    "name",
    ["config.json", "summary.json", "environment.json", "script.json", "data.json"],
)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "deep", "long number", "bytes"])
def test_a_file_that_is_no_record_does_not_hang_or_end_in_a_traceback(run, tmp_path, name, kind):
    file, kept = run.directory / name, tmp_path / "kept"
    file.rename(kept)
    try:
        if kind == "pipe":
            os.mkfifo(file)
        elif kind == "device":
            file.symlink_to("/dev/zero")
        elif kind == "folder":
            file.mkdir()
        else:
            deep = b'{"name": ' * 50_000 + b"1" + b"}" * 50_000
            long = b'{"steps": ' + b"9" * 10_000 + b"}"
            file.write_bytes({"deep": deep, "long number": long, "bytes": b'{"a": "\xff"}'}[kind])
        with pytest.raises(UserError, match=name) if _is_needed(name) else nullcontext():
            use(run)
    finally:
        file.rmdir() if file.is_dir() else file.unlink()
        kept.rename(file)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_metrics_are_read_and_written_in_a_regular_file_only(tmp_path, kind):
    run = Run.create("it", EXPERIMENT, directory=tmp_path / "run")
    file = run.directory / "metrics.jsonl"
    os.mkfifo(file) if kind == "pipe" else file.mkdir()
    for attempt in (run.read_metrics, lambda: run.append_metrics(METRICS)):
        with pytest.raises(UserError, match=r"cannot read .*jsonl: (Is a dir|it is a named)"):
            attempt()


def _is_needed(name):
    return name in ("config.json", "data.json", "script.json")
