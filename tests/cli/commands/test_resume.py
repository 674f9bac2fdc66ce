"""``nnjax resume``: as if the run had never been stopped, or a sentence why not."""

import contextlib
import json
import os
import shutil
import signal
import sys

import numpy as np
import pytest

from nnjax.cli.main import main
from nnjax.cli.runs import open_run
from nnjax.figures import report
from nnjax.runs.run import Run
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.training.progress import Progress


@pytest.fixture(scope="module")
def trained(config_text, tmp_path_factory):
    """A folder with ``my-net.py`` and two runs of it: ``stopped`` and ``whole``."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "my-net.py").write_text(config_text)
    words = ["train", "my-net.py", "--epochs", "6", "--devices", "4", "--quiet"]
    update = Progress.update

    def stop(self, *, step, **reports):
        update(self, step=step, **reports)
        if step >= 13:
            os.kill(os.getpid(), signal.SIGTERM)

    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        assert main([*words, "--run-dir", "whole"]) == 0
        patch.setattr(Progress, "update", stop)
        main([*words, "--run-dir", "stopped", "--checkpoint-seconds", "0"])
    assert len(list((folder / "stopped" / "checkpoints").iterdir())) == 2
    return folder


@pytest.fixture
def stopped(trained, config_file, tmp_path):
    """A run that was stopped in its fourth of six epochs, with two checkpoints."""
    return shutil.copytree(trained / "stopped", tmp_path / "stopped")


@pytest.fixture
def whole(trained, tmp_path):
    """The same run, never stopped."""
    return shutil.copytree(trained / "whole", tmp_path / "whole")


def assert_same_metrics(one, other):
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


def damage(checkpoint):
    for file in checkpoint.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def checkpoints(directory):
    return sorted((directory / "checkpoints").iterdir(), key=lambda path: int(path.name))


def test_resumes_by_any_path_inside(stopped, whole, nnjax, same_parameters):
    done = nnjax("resume", stopped / "checkpoints")
    assert (done.status, done.err) == (0, "")
    assert "resumed at step " in done.out
    same_parameters(whole, stopped)
    assert_same_metrics(whole, stopped)


def test_goes_on_with_other_devices(stopped, whole, nnjax, same_parameters):
    assert nnjax("resume", stopped, "--devices", 1).status == 0
    same_parameters(whole, stopped, tolerance=1e-5)
    assert json.loads((stopped / "config.json").read_text())["training"]["devices"] == 4


def test_what_the_config_imports_is_gone(config_file, refused, nnjax, monkeypatch, tmp_path):
    beside = config_file.with_name("beside_it.py")
    beside.write_text("RATE = 0.1")
    config_file.write_text("from beside_it import RATE\n" + config_file.read_text())
    assert nnjax("train", config_file, "--run-dir", "run", "--smoke").status == 0
    beside.unlink()
    for module in ("beside_it", "nnjax_file_my_net"):
        monkeypatch.delitem(sys.modules, module)
    sentence = refused("evaluate", "run")
    assert "No module named 'beside_it'" in sentence
    assert sentence.endswith(f"; what {config_file} imports is looked for beside it")


def test_relative_data_is_looked_for_from_where_the_run_began(
    config_file, refused, nnjax, monkeypatch, tmp_path
):
    data = {"inputs": np.eye(20, dtype=np.float32), "targets": np.arange(20) % 2}
    np.savez("data.npz", **data)
    words = ("--data", "npz", "--data.path", "data.npz", "--smoke", "--batch-size", 5)
    assert nnjax("train", config_file, "--run-dir", tmp_path / "run", *words).status == 0
    monkeypatch.chdir("/")
    sentence = refused("evaluate", tmp_path / "run")
    assert sentence.startswith("there is no file data.npz")
    assert sentence.endswith(
        f"(data.npz was meant from {tmp_path}, where the run began: call it from there)"
    )


@pytest.mark.parametrize("text", ["config = None", None])
def test_the_original_config_has_changed_or_gone(trained, stopped, whole, nnjax, text):
    file = trained / "my-net.py"
    original = file.read_text()
    file.write_text(text) if text else file.unlink()
    try:
        assert nnjax("resume", stopped).status == 0
    finally:
        file.write_text(original)
    assert_same_metrics(whole, stopped)


def test_the_newest_checkpoint_is_damaged(stopped, whole, nnjax, same_parameters):
    older, newest = checkpoints(stopped)
    damage(newest)
    done = nnjax("resume", stopped, "--quiet")
    assert done.status == 0
    assert f"the checkpoint of step {newest.name} is damaged" in done.err
    assert f"resumed at step {older.name}" in done.out
    same_parameters(whole, stopped)
    assert_same_metrics(whole, stopped)


def test_every_checkpoint_is_damaged(stopped, refused):
    for checkpoint in checkpoints(stopped):
        damage(checkpoint)
    metrics = (stopped / "metrics.jsonl").read_bytes()
    sentence = refused("resume", stopped)
    assert sentence.startswith(f"every checkpoint in {stopped / 'checkpoints'} is damaged")
    assert (stopped / "metrics.jsonl").read_bytes() == metrics


def test_no_checkpoint_yet(stopped, whole, nnjax, same_parameters):
    """A run killed before its first checkpoint starts again from its seed."""
    for checkpoint in checkpoints(stopped):
        shutil.rmtree(checkpoint)
    assert nnjax("resume", stopped).status == 0
    same_parameters(whole, stopped)
    assert_same_metrics(whole, stopped)


@pytest.mark.parametrize("devices", [2, 1])
def test_on_fewer_devices(stopped, nnjax, devices):
    config = stopped / "config.json"
    config.write_text(config.read_text().replace('"devices": 4', f'"devices": {devices}'))
    assert nnjax("resume", stopped).status == 0
    assert Run.open(stopped).read_summary()["steps"] == 24


def test_without_environment_and_summary(stopped, whole, nnjax, same_parameters):
    for environment in ("{", "{}"):
        (stopped / "environment.json").write_text(environment)
        opened = open_run(stopped, trust=True)
        assert type(opened.experiment.learner).__name__ == "Gentle"
        assert opened.module.__file__ == str(stopped / "config.py")
    (stopped / "environment.json").unlink()
    (stopped / "summary.json").unlink()
    # What says that this user made the run is gone, too.
    assert nnjax("resume", stopped, "--trust").status == 0
    same_parameters(whole, stopped)
    assert_same_metrics(whole, stopped)


def test_a_finished_run(whole, refused):
    before = (whole / "summary.json").read_bytes()
    assert refused("resume", whole).startswith(f"run {whole} is finished; 'nnjax evaluate'")
    assert (whole / "summary.json").read_bytes() == before


@pytest.fixture
def undrawn(config_file, nnjax, tmp_path, monkeypatch):
    """A run that was stopped after its first figure, by a script that draws."""
    config_file.write_text(config_file.read_text().partition("def main(")[0])
    directory = tmp_path / "undrawn"
    save = report.save

    def stop(figure, path):
        saved = save(figure, path)
        os.kill(os.getpid(), signal.SIGTERM)
        return saved

    with monkeypatch.context() as patch:
        patch.setattr(report, "save", stop)
        done = nnjax("train", config_file, "--run-dir", directory)
    assert done.status == 128 + signal.SIGTERM
    assert done.err == (
        f"nnjax: stopped; the run {directory} is finished, but for its figures; draw them with: "
        f"nnjax resume {directory}\n"
    )
    assert [path.name for path in (directory / "figures").iterdir()] == ["learning_curves.png"]
    return directory


def test_a_finished_run_without_all_its_figures(undrawn, nnjax, refused):
    before = {name: (undrawn / name).read_bytes() for name in ("summary.json", "metrics.jsonl")}
    assert nnjax("resume", undrawn).status == 0
    drawn = {path.stem for path in (undrawn / "figures").iterdir()}
    assert drawn == {"learning_curves", "decision_boundary", "confusion_matrix"}
    assert {name: (undrawn / name).read_bytes() for name in before} == before
    assert refused("resume", undrawn).startswith(f"run {undrawn} is finished")


def test_a_finished_run_whose_script_is_not_on_record(undrawn, nnjax, refused):
    (undrawn / "script.json").unlink()
    assert refused("resume", undrawn).startswith(f"run {undrawn} is finished")
    (undrawn / "figures" / "learning_curves.png").unlink()
    assert nnjax("resume", undrawn).status == 0
    assert (undrawn / "figures" / "decision_boundary.png").is_file()


def test_no_run(config_file, refused, tmp_path):
    assert refused("resume", "nowhere") == "there is no run nowhere: no such file or directory"
    (tmp_path / "empty").mkdir()
    assert refused("resume", "empty") == "empty is no run directory: it has no config.json"
    assert refused("resume").startswith("nnjax resume needs the run directory")


def test_a_damaged_config(stopped, refused):
    (stopped / "config.json").write_text("{")
    assert "config.json is damaged: it is not JSON" in refused("resume", stopped)


def test_a_config_of_other_arrays(stopped, refused):
    config = stopped / "config.json"
    config.write_text(config.read_text().replace('"width": 4', '"width": 5'))
    assert "is of another config: " in refused("resume", stopped)


def test_a_sweep_is_not_resumed_by_several_processes(nnjax, tmp_path):
    directory = SweepDirectory.create("mine", {}, directory=tmp_path / "sweep").directory
    done = nnjax("resume", directory, "--coordinator", "here:1", "--processes", 2)
    assert done.status == 1
    said = " ".join(done.err.split())
    assert f"{directory} is a sweep, which one process conducts: leave --coordinator out" in said
    assert f"other machines join it by: nnjax sweep --join {directory}" in said
