"""Signatures: what this user made on this machine is known again, and nothing else is."""

import os
import stat
from pathlib import Path

import pytest

from nnjax.errors import UserError
from nnjax.runs import trust

STATEMENT = {"config.py": trust.hash_of(b"print(1)\n"), "names": ["mine.Net"]}


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A state directory of the test's own, empty."""
    folder = tmp_path / "state" / "nnjax"
    monkeypatch.setenv(trust.VARIABLE, str(folder))
    return folder


def test_a_statement_is_known_again(state):
    signature = trust.sign("run", STATEMENT)
    assert trust.is_signed("run", STATEMENT, signature)
    # Order does not matter, purpose and content do.
    assert trust.is_signed("run", dict(reversed(STATEMENT.items())), signature)
    assert not trust.is_signed("sweep", STATEMENT, signature)
    assert not trust.is_signed("run", {**STATEMENT, "names": ["mine.Net", "other.Net"]}, signature)
    for forged in (None, "", "é" * 64, 3, [signature], signature[:-1], signature.upper()):
        assert not trust.is_signed("run", STATEMENT, forged)


def test_only_the_user_reads_the_key(state):
    trust.sign("run", STATEMENT)
    assert stat.S_IMODE((state / trust.KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [file.name for file in state.iterdir()] == [trust.KEY]


def test_another_user_has_another_key(state, monkeypatch, tmp_path):
    signature = trust.sign("run", STATEMENT)
    monkeypatch.setenv(trust.VARIABLE, str(tmp_path / "other"))
    assert not trust.is_signed("run", STATEMENT, signature)
    assert trust.sign("run", STATEMENT) != signature


@pytest.mark.parametrize("spoil", ["readable", "short", "link", "pipe"])
def test_a_key_that_others_may_know_is_none(state, spoil, tmp_path):
    signature = trust.sign("run", STATEMENT)
    key = state / trust.KEY
    match spoil:
        case "readable":
            key.chmod(0o644)
        case "short":
            key.write_bytes(b"")
        case "link":
            key.rename(tmp_path / "elsewhere")
            key.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            key.unlink()
            os.mkfifo(key, 0o600)
    assert not trust.is_signed("run", STATEMENT, signature)
    assert trust.sign("run", STATEMENT) is None


def test_a_home_that_cannot_be_written(monkeypatch):
    monkeypatch.setenv(trust.VARIABLE, "/proc/nowhere")
    assert trust.sign("run", STATEMENT) is None
    assert not trust.is_signed("run", STATEMENT, None)


def test_the_folder_follows_the_xdg_specification(monkeypatch, tmp_path):
    monkeypatch.delenv(trust.VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert trust.state_directory() == tmp_path / "xdg" / "nnjax"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert trust.state_directory() == tmp_path / ".local" / "state" / "nnjax"


def test_code_of_others_asks_for_trust():
    check = trust.check
    check(Path("runs/x"), [], is_ours=False, trust=False)
    check(Path("runs/x"), ["run its config.py"], is_ours=True, trust=False)
    check(Path("runs/x"), ["run its config.py"], is_ours=False, trust=True)
    with pytest.raises(UserError) as raised:
        check(Path("runs/x"), ["run its config.py", "load its sampler"], is_ours=False, trust=False)
    assert str(raised.value) == (
        "runs/x would run its config.py and load its sampler, and you did not make that on this "
        "machine as it is now; read it, then add --trust (trust=True in Python) if you trust it"
    )
