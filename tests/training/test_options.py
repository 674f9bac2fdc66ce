"""Options of the loop that cannot be meant."""

import pytest

from nnjax.errors import UserError
from nnjax.training import Training


@pytest.mark.parametrize(
    "name", ["batch_size", "seed", "data_seed", "devices", "checkpoint_seconds"]
)
def test_what_cannot_be_negative(name):
    with pytest.raises(UserError, match=f"{name} must not be negative, it is -1"):
        Training(epochs=1, **{name: -1})


@pytest.mark.parametrize("name", ["epochs", "evaluate_every", "keep_checkpoints", "patience"])
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_positive(name, value):
    with pytest.raises(UserError, match=f"{name} must be positive, not {value}"):
        Training(**{"epochs": 1, name: value})


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 2}])
def test_one_duration(given):
    with pytest.raises(UserError, match="give one of epochs, steps and examples"):
        Training(**given)
