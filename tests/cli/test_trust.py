"""Runs and sweeps that somebody else sent: their code runs only where the user trusts it."""

import contextlib
import json
import shutil
import sys

import pytest

from nnjax.cli.main import main
from nnjax.errors import UserError
from nnjax.runs import trust
from nnjax.runs.run import Run
from nnjax.sweeps.record.directory import SweepDirectory

WOULD_RUN = "would run its config.py"

SPY = """
from pathlib import Path
Path("ran").touch()
"""
"""Code that leaves a trace where it is run."""


@pytest.fixture(scope="module")
def trained(config_text, tmp_path_factory):
    """A short run of a config file of the user's own, with a module beside the file."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "nnjax_beside.py").write_text(
        "import dataclasses\nfrom nnjax.optimizers import SGD\n"
        "@dataclasses.dataclass(frozen=True, kw_only=True)\nclass Mild(SGD):\n    pass\n"
    )
    text = config_text.replace("optimizer=SGD(", "optimizer=Mild(")
    (folder / "my-net.py").write_text(f"from nnjax_beside import Mild\n{text}")
    with contextlib.chdir(folder):
        assert main(["train", "my-net.py", "--run-dir", "run", "--smoke", "--quiet"]) == 0
    return folder / "run"


@pytest.fixture
def own(trained, tmp_path, monkeypatch):
    """A copy of that run."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def stranger(monkeypatch, tmp_path):
    """Makes this user another one, whose state directory is empty."""

    def become():
        monkeypatch.setenv(trust.VARIABLE, str(tmp_path / "strangers-state"))
        monkeypatch.delitem(sys.modules, "nnjax_file_my_net", raising=False)

    return become


def edit(file, change):
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_the_users_own_run_opens_also_where_it_was_moved_or_copied(own, nnjax, tmp_path):
    assert nnjax("evaluate", own).status == 0
    copy = shutil.copytree(own, tmp_path / "elsewhere" / "copy")
    assert nnjax("evaluate", copy).status == 0
    assert Run.open(copy).read_config().learner.patience_of_saints == 1.0


@pytest.mark.parametrize("command", ["evaluate", "compare", "export", "generate", "classify"])
def test_every_command_asks(own, refused, stranger, command):
    stranger()
    assert refused(command, own).startswith(f"{own} {WOULD_RUN}")


def test_what_the_user_trusts_runs(own, refused, nnjax, stranger):
    stranger()
    for words in (["translate"], ["resume"], ["compare", own]):
        assert f"{own} would run its config.py" in refused(*words, own)
    assert nnjax("evaluate", own, "--trust").status == 0
    assert nnjax("compare", own, "--trust").status == 0
    with pytest.raises(UserError, match=r"would import the module of nnjax_beside\.Mild"):
        Run.open(own).read_config()
    assert type(Run.open(own, trust=True).read_config().learner).__name__ == "Gentle"


@pytest.mark.parametrize("file", ["config.py", "config.json", "environment.json"])
def test_code_that_was_put_in_later(own, refused, file, tmp_path, monkeypatch):
    if file == "config.py":
        (own / file).write_text((own / file).read_text() + SPY)
    if file == "config.json":
        edit(own / file, lambda saved: saved["data"].update({"class": "antigravity.Fly"}))
    if file == "environment.json":
        # What lies beside the original is imported.
        (tmp_path / "evil").mkdir()
        (tmp_path / "evil" / "nnjax_beside.py").write_text(SPY)
        evil = str(tmp_path / "evil" / "my-net.py")
        edit(own / file, lambda saved: saved.update(config_file=evil))
    monkeypatch.delitem(sys.modules, "nnjax_file_my_net", raising=False)
    assert "would run its config.py" in refused("evaluate", own)
    assert not (tmp_path / "ran").exists()
    assert "antigravity" not in sys.modules


def test_no_module_of_the_standard_library_is_imported_for_a_class(own, refused):
    edit(own / "config.json", lambda saved: saved["data"].update({"class": "antigravity.Fly"}))
    sentence = refused("evaluate", own, "--trust")
    assert "unknown class 'antigravity.Fly'" in sentence
    assert "antigravity" not in sys.modules


def test_a_config_file_put_into_a_run_of_a_named_experiment(digits_run, nnjax, tmp_path):
    run = shutil.copytree(digits_run.directory, tmp_path / "run")
    (run / "config.py").write_text(SPY)
    for words in ([], ["--trust"]):
        done = nnjax("evaluate", run, *words)
        assert done.status == 0
        assert f"{run / 'config.py'} is ignored: the run was made without it" in done.err
    assert not (tmp_path / "ran").exists()
    assert not (run / "ran").exists()


def test_mere_data_needs_no_trust(digits_run, nnjax, tmp_path, stranger):
    stranger()
    run = shutil.copytree(digits_run.directory, tmp_path / "run")
    assert nnjax("evaluate", run).status == 0


def test_a_class_of_a_module_without_a_file(digits_run, refused, tmp_path, monkeypatch):
    run = shutil.copytree(digits_run.directory, tmp_path / "run")
    (tmp_path / "nnjax_spy.py").write_text(SPY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    edit(run / "config.json", lambda saved: saved["data"].update({"class": "nnjax_spy.Data"}))
    assert "would import the module of nnjax_spy.Data, and you" in refused("evaluate", run)
    assert not (tmp_path / "ran").exists()
    assert "unknown class 'nnjax_spy.Data'" in refused("evaluate", run, "--trust")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("script", ["../../evil", "/tmp/evil", "evil", "_hidden"])
def test_no_script_but_nnjaxs_own(digits_run, refused, tmp_path, script):
    run = shutil.copytree(digits_run.directory, tmp_path / "run")
    edit(run / "config.json", lambda saved: saved.update(script=script))
    (run / "script.json").unlink(missing_ok=True)
    edit(run / "summary.json", lambda saved: saved.update(status="interrupted"))
    assert f"unknown experiment script '{script}'" in refused("resume", run)


def test_a_home_that_cannot_be_written(config_file, nnjax, refused, monkeypatch):
    monkeypatch.setenv(trust.VARIABLE, "/proc/nowhere")
    assert nnjax("train", config_file, "--run-dir", "run", "--smoke").status == 0
    assert "add --trust" in refused("evaluate", "run")
    assert nnjax("evaluate", "run", "--trust").status == 0


def test_sweeps(config_file, nnjax, refused, tmp_path, stranger):
    over = ("--over", "seed", "0..1", "--epochs", 1, "--sweep-dir", "out", "--quiet")
    assert nnjax("sweep", config_file, *over).status == 0
    copy = shutil.copytree("out", tmp_path / "copy")
    assert nnjax("sweep-report", copy).status == 0
    assert nnjax("resume", "out").status == 0
    stranger()
    for words in (["sweep-report", "out"], ["resume", "out"], ["sweep", "--join", "out"]):
        assert refused(*words).startswith(f"out {WOULD_RUN}")
    assert nnjax("sweep-report", "out", "--trust").status == 0
    assert nnjax("resume", "out", "--trust").status == 0
    assert nnjax("sweep", "--join", "out", "--trust").status == 0
    assert not SweepDirectory.open(tmp_path / "out").is_ours()


def test_a_sweep_that_names_a_storage(nnjax, refused, tmp_path, monkeypatch, stranger):
    """The storage of a stranger is a file, or a server, of the stranger's choice."""
    monkeypatch.chdir(tmp_path)
    words = ("--over", "seed", "0..1", "--steps", 1, "--members", 2)
    words = (*words, "--storage", "sqlite:///trials.db")
    assert nnjax("sweep", "circles", *words, "--sweep-dir", "out", "--quiet").status == 0
    assert nnjax("sweep-report", "out").status == 0
    edit(tmp_path / "out" / "sweep.json", lambda s: s["search"].update(storage="sqlite:///x.db"))
    sentence = refused("sweep-report", "out")
    assert sentence.startswith("out would use the storage sqlite:///x.db, and")
    assert not (tmp_path / "x.db").exists()
