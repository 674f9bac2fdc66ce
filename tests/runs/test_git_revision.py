"""The git revision on record, of a work tree that somebody else may have set up."""

import subprocess

from nnjax.runs.environment import git_revision


def git(*words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def test_no_program_that_the_work_tree_names_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    monitor.chmod(0o755)
    git("config", "core.fsmonitor", str(monitor))
    found = git_revision()
    assert found is not None
    assert (len(found["revision"]), found["dirty"]) == (40, False)
    assert not (tmp_path / "ran").exists()
