"""The lock of a run: one process at a time, and no lock is left by a process that died."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from nnjax.errors import UserError
from nnjax.runs import lock
from nnjax.runs.lock import FILE, Lock, locked
from nnjax.runs.run import Run
from nnjax.training import Training

HOLD = """
import sys
from pathlib import Path
from nnjax.runs.lock import Lock

Lock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of ``tmp_path``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.communicate()


def test_another_process_is_named_and_leaves_no_lock_when_it_is_killed(tmp_path, other):
    holder = f"process {other.pid} on {os.uname().nodename}"
    said = rf"run {tmp_path} is being trained by {holder}, since \S+ \S+; wait until that process"
    for _ in range(2):
        with pytest.raises(UserError, match=said):
            Lock(tmp_path).acquire()
    with pytest.raises(UserError, match=said):
        lock.check_free(tmp_path)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / FILE).exists()
    lock.check_free(tmp_path)
    with locked(tmp_path):
        assert json.loads((tmp_path / FILE).read_text())["process"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_a_run_that_another_process_trains_is_not_made_again(tmp_path):
    run = Run.create("mine", Training(steps=5), directory=tmp_path / "run")
    with run.locked(), pytest.raises(UserError, match="is being trained by this process already"):
        Run.create("mine", Training(steps=5), directory=run.directory)
    with pytest.raises(UserError, match="holds a run of this config already"):
        Run.create("mine", Training(steps=5), directory=run.directory)


def test_two_runs_of_one_process_exclude_each_other(tmp_path):
    def acquire():
        with locked(tmp_path):
            pass

    with locked(tmp_path), ThreadPoolExecutor(1) as pool:
        for attempt in (acquire, lambda: pool.submit(acquire).result()):
            with pytest.raises(UserError, match="is being trained by this process already"):
                attempt()
        # The attempts have opened the file, which must not have released the lock.
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert f"is being trained by process {os.getpid()} on" in done.stderr
    acquire()


def test_nested_contexts_hold_one_lock(tmp_path):
    run = Run.create("mine", Training(steps=5), directory=tmp_path / "run")
    with run.locked():
        with run.locked():
            pass
        with pytest.raises(UserError, match="by this process already"):
            Lock(run.directory).acquire()
    assert not (run.directory / FILE).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": []}', "[" * 5000, "\\udcff"])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, other, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UserError, match="is being trained by another process; wait"):
        Lock(tmp_path).acquire()


def test_no_file_is_written_through_a_link(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / FILE).symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="cannot write"):
        Lock(tmp_path / "run").acquire()
    assert (tmp_path / "mine").read_text() == "mine"
    (tmp_path / "run" / FILE).unlink()
    os.mkfifo(tmp_path / "run" / FILE)
    with pytest.raises(UserError, match="is no regular file; remove it"):
        Lock(tmp_path / "run").acquire()


def test_a_file_system_without_locks_costs_a_warning(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(lock.fcntl, "lockf", refuse)
    with locked(tmp_path):
        assert "has no locks (Function not implemented): see to it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "samples"])
def test_a_run_is_not_trained_through_a_link(tmp_path, name):
    run = Run.create("mine", Training(steps=5), directory=tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    if (run.directory / name).exists():
        (run.directory / name).rmdir()
    (run.directory / name).symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(UserError, match=rf"run/{name} is a symbolic link to .*/elsewhere, outside"),
        run.locked(),
    ):
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
    (run.directory / name).unlink()
    (run.directory / name).symlink_to("figures")
    with run.locked():
        pass
