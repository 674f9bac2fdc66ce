"""Options of the loop that cannot be meant."""

import math

import numpy as np
import pytest

from nnjax.errors import UserError
from nnjax.training import Training


@pytest.mark.parametrize(
    "name", ["batch_size", "seed", "data_seed", "devices", "threads", "checkpoint_seconds"]
)
def test_what_cannot_be_negative(name):
    with pytest.raises(UserError, match=f"{name} must not be negative, it is -1"):
        Training(epochs=1, **{name: -1})


@pytest.mark.parametrize("name", ["epochs", "evaluate_every", "keep_checkpoints", "patience"])
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_positive(name, value):
    with pytest.raises(UserError, match=f"{name} must be positive, not {value}"):
        Training(**{"epochs": 1, name: value})


@pytest.mark.parametrize(
    "name", ["steps", "batch_size", "seed", "patience", "keep_checkpoints", "devices"]
)
@pytest.mark.parametrize("value", [2.5, 2.0, "2"])
def test_what_must_be_whole(name, value):
    with pytest.raises(UserError, match=f"{name} must be a whole number, not {value!r}"):
        Training(**{"epochs": None if name == "steps" else 1, name: value})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("smoke", "yes", "True or False"),
        ("evaluate_train", 1, "True or False"),
        ("monitor", 3, "a"),
    ],
)
def test_what_must_be_a_truth_value_or_a_text(name, value, kind):
    with pytest.raises(UserError, match=f"{name} must be {kind}"):
        Training(**{"epochs": 1, name: value})


@pytest.mark.parametrize("name", ["epochs", "evaluate_every", "checkpoint_seconds"])
@pytest.mark.parametrize("value", [math.nan, "2"])
def test_what_must_be_a_number(name, value):
    with pytest.raises(UserError, match=f"{name} must be a number, not {value!r}"):
        Training(**{"epochs": 1, name: value})


def test_none_is_no_number():
    assert Training(epochs=1, patience=None, data_seed=None).patience is None
    with pytest.raises(UserError, match="batch_size must be a whole number, not None"):
        Training(epochs=1, batch_size=None)


def test_numbers_of_numpy():
    assert Training(steps=np.int64(3), checkpoint_seconds=np.float32(2)).steps == 3


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 2}])
def test_one_duration(given):
    with pytest.raises(UserError, match="give one of epochs, steps and examples"):
        Training(**given)
