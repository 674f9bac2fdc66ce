"""The adding problem."""

import jax
import numpy as np
import pytest

from nnjax.data import Adding, specification
from nnjax.errors import UserError


def test_the_target_is_told_by_the_marks():
    data = Adding(40, train=500, test=0).load()
    sequence, targets = data.split("train")["inputs"], data.split("train")["targets"]
    assert sequence.shape == (500, 40, 2)
    assert sequence.dtype == targets.dtype == np.float32
    numbers, marks = sequence[..., 0], sequence[..., 1]
    assert (np.abs(numbers) <= 1).all()
    assert ((marks == 1).sum(axis=1) == 2).all()
    assert (marks[:, -1] == -1).all()
    assert (marks[:, :10] == 1).any(axis=1).all()
    assert (marks[:, 20:] != 1).all()
    counted = (marks == 1) & (np.arange(40) > 0)
    np.testing.assert_allclose(targets, 0.5 + (numbers * counted).sum(axis=1) / 4, atol=1e-6)
    # Both marks lie at all the places they may.
    assert set(np.flatnonzero((marks == 1).any(axis=0))) == set(range(20))
    assert 0.03 < targets.var() < 1 / 24 + 0.01


def test_lengths_vary_as_in_the_paper():
    source = Adding(50, varied=True, train=300)
    data = source.load()
    inputs = data.split("train")["inputs"]
    assert inputs["sequence"].shape == (300, 55, 2)
    assert set(inputs["lengths"]) == set(range(50, 56))
    beyond = np.arange(55) >= inputs["lengths"][:, None]
    assert (inputs["sequence"][beyond] == 0).all()
    last = inputs["sequence"][np.arange(300), inputs["lengths"] - 1]
    assert (last[:, 1] == -1).all()


@pytest.mark.parametrize("varied", [False, True])
def test_the_specification_is_that_of_the_data(varied):
    source = Adding(30, varied, train=20, validation=0, test=5)
    spec, data = specification(source), source.load()
    assert {name: spec.size(name) for name in ("train", "validation", "test")} == {
        "train": 20, "validation": 0, "test": 5,
    }  # fmt: skip
    assert data.size("test") == 5
    shapes = [jax.tree.map(lambda one: (one.shape, one.dtype), one.example(4))
              for one in (spec, data)]  # fmt: skip
    assert shapes[0] == shapes[1]
    assert data.outputs == spec.outputs == 1


def test_the_seed_decides():
    first, again, other = (Adding(20, train=5, seed=seed).load() for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.split("test")["inputs"], again.split("test")["inputs"])
    assert (first.split("test")["inputs"] != other.split("test")["inputs"]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 5}, "the length must be at least 20"),
        ({"train": 0}, "number of train examples must be at least 1"),
        ({"seed": -1}, "the seed must be at least 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Adding(**options).load()
