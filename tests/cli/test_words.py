"""The words of a command line: options with their value behind a space or an equals sign."""

import pytest

from nnjax.cli import words


@pytest.mark.parametrize(
    ("line", "value", "rest"),
    [
        ("blobs --seed 5 --quiet", "5", "blobs --quiet"),
        ("blobs --seed=5 --quiet", "5", "blobs --quiet"),
        ("--seed= --quiet", "", "--quiet"),
        ("--seed=a=b", "a=b", ""),
        ("--seed=--b", "--b", ""),
        ("--quiet --seed", "", "--quiet"),
        ("--seed 5 --seed=6", "6", ""),
        ("--seeds 5 --run-dir=--seed=3 seed=4", None, "--seeds 5 --run-dir=--seed=3 seed=4"),
    ],
)
def test_take(line, value, rest):
    assert words.take(line.split(), "--seed") == (value, rest.split())
    assert words.has(line.split(), "--seed") == (value is not None)


def test_split():
    line = "a --x=1 --z --long_name 2 b=3"
    own, rest = words.split(line.split(), ("--x", "--long-name"))
    assert own == ["--x", "1", "--long-name", "2"]
    assert rest == ["a", "--z", "b=3"]


def test_rename():
    line = "--run-dir a --run-dir=b=c --run_dir=--d run-dir --run-dirs=e"
    expected = "--to a --to=b=c --to=--d run-dir --run-dirs=e"
    assert words.rename(line.split(), "--run-dir", "--to") == expected.split()
