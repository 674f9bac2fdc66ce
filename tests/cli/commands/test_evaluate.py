"""``nnjax evaluate``: the numbers of the summary again, and what is taken for what."""

import json
import shutil

import numpy as np
import pytest

from nnjax.cli.main import main
from nnjax.figures import prediction


def test_numbers_are_those_of_the_summary(digits_run, capsys):
    assert main(["evaluate", str(digits_run.directory)]) == 0
    printed = capsys.readouterr().out
    assert "equal to summary.json, to the last digit" in printed
    summary = digits_run.read_summary()
    assert f"{summary['test']['accuracy']:.6g}" in printed
    assert f"parameters of step {summary['best_step']:,}" in printed


def test_mistakes_add_up(digits_run, capsys):
    main(["evaluate", str(digits_run.directory)])
    printed = capsys.readouterr().out
    accuracy = digits_run.read_summary()["test"]["accuracy"]
    examples = int(printed.split("test, ")[-1].split(" of ")[1].split()[0])
    mistaken = round((1 - accuracy) * examples)
    assert f"test, {mistaken} of {examples} mistaken" in printed


def test_predictions_beyond_the_classes_are_mistakes(digits_run, capsys, monkeypatch):
    """A model with 12 outputs for 10 classes, which predicts the last output for every example."""
    predict = prediction.predict_with_targets

    def predict_the_last(*arguments):
        outputs, targets = predict(*arguments)
        return np.eye(12)[np.full(len(outputs), 11)], targets

    monkeypatch.setattr(prediction, "predict_with_targets", predict_the_last)
    main(["evaluate", str(digits_run.directory)])
    printed = capsys.readouterr().out
    assert "test, 359 of 359 mistaken" in printed
    rows = [line.split() for line in printed.splitlines()]
    (threes,) = (row for row in rows if row[:1] == ["3"])
    assert threes[2:] == ["0", "0.0000"]


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        (1e-3, "summary.json says otherwise: test loss {}"),
        (1e-6, "equal to summary.json, to round"),
    ],
)
def test_other_numbers_in_the_summary_are_named(circles_run, capsys, difference, sentence):
    path = circles_run.directory / "summary.json"
    content = path.read_bytes()
    summary = json.loads(content)
    summary["test"]["loss"] += difference
    path.write_text(json.dumps(summary))
    try:
        main(["evaluate", str(circles_run.directory)])
    finally:
        path.write_bytes(content)
    printed = capsys.readouterr().out
    assert sentence.format(repr(summary["test"]["loss"])) in printed


def test_without_a_summary(circles_run, capsys, tmp_path):
    shutil.copytree(circles_run.directory, tmp_path / "copy")
    (tmp_path / "copy" / "summary.json").unlink()
    (tmp_path / "copy" / "environment.json").unlink()
    assert main(["evaluate", str(tmp_path / "copy")]) == 0
    printed = capsys.readouterr().out
    assert "nothing to compare with: summary.json is missing or damaged" in printed


def test_no_run(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err.startswith("nnjax: there is no run")
