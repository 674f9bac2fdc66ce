"""The command line as a whole: help at once, errors in one sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nnjax as package
from nnjax.cli import main as cli
from nnjax.errors import UserError

SOURCE = Path(package.__file__).parent.parent


def python(*words, cwd=None):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, cwd=cwd
    )


@pytest.mark.parametrize("words", ["[]", "['--help']", "['list']", "['train', '--help']"])
def test_help_and_list_import_nothing_heavy(words, tmp_path):
    program = f"""
import sys
from nnjax.cli.main import main
main({words})
heavy = set(sys.modules) & {{"jax", "numpy", "flax", "tyro", "orbax", "matplotlib", "sklearn"}}
assert not heavy, heavy
"""
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nnjax" in done.stdout or "experiment" in done.stdout


def test_help_names_every_command(nnjax):
    text = nnjax("--help").out
    assert all(name in text for name in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(nnjax, command):
    done = nnjax(command, "--help")
    assert done.status == 0
    assert f"nnjax {command}" in done.out


def test_version(nnjax):
    assert nnjax("--version").out.strip() == package.__version__


def test_unknown_command_suggests_the_nearest(refused):
    assert refused("trian") == "unknown command 'trian', did you mean 'train'?"


def test_a_disk_error_is_a_sentence(capsys):
    def fail():
        raise OSError(28, "No space left on device", "figure.png")

    assert cli.guarded(fail) == 1
    assert capsys.readouterr().err == "nnjax: No space left on device: figure.png\n"


def test_ctrl_c_is_a_sentence(capsys):
    def stop():
        raise KeyboardInterrupt

    assert cli.guarded(stop) == 130
    assert capsys.readouterr().err == "nnjax: stopped\n"


INTERRUPTIONS = {
    "once": "press()",
    "three times": "\n    try:\n        press()\n    finally:\n        press()\n        press()",
    "an import fails of it": """
    try:
        press()
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error
""",
    "in a callback": """
    class Thing:
        pass
    thing = Thing()
    reference = weakref.ref(thing, lambda _: press())
    del thing
    time.sleep(60)
""",
    "while it is reported": """
    main._print_error = lambda sentence: (os.write(2, f"nnjax: {sentence}\\n".encode()), press())
    press()
""",
}


@pytest.mark.parametrize("when", INTERRUPTIONS)
def test_ctrl_c_at_any_moment(when):
    program = f"""
import os, signal, sys, time, weakref
from nnjax.cli import main

def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)

def action():
    {INTERRUPTIONS[when]}

sys.exit(main.guarded(action))
"""
    done = python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "nnjax: stopped\n")


def test_ctrl_c_is_handled_as_before_when_the_command_has_ended(capsys):
    before = signal.getsignal(signal.SIGINT)
    assert cli.guarded(lambda: 0) == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_traceback_on_request(capsys, monkeypatch):
    def fail():
        raise UserError("no")

    monkeypatch.setenv(cli.TRACEBACK, "1")
    assert cli.guarded(fail) == 1
    error = capsys.readouterr().err
    assert "in fail" in error
    assert error.endswith("nnjax: no\n")


def test_a_closed_pipe_is_no_error(tmp_path):
    program = f"{sys.executable} -m nnjax --help | true; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert "Traceback" not in done.stderr
