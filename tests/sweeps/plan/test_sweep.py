"""Values of a sweep: how they are shown, stored, and found again."""

import functools

import pytest

from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.losses import mean_squared_error, quadratic
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam
from nnjax.sweeps import Sweep
from nnjax.sweeps.plan.sweep import _dimension


def own_loss(outputs, targets):
    return mean_squared_error(outputs, targets)


def test_functions_and_classes_are_shown_by_their_names():
    """No label holds an address in memory, which another process would not find again."""
    values = (own_loss, quadratic, lambda outputs: 0.0, lambda outputs: 1.0, SGD, print)
    dimension = _dimension(values)
    labels = dimension.points()
    assert labels == ("own_loss", "quadratic", "<lambda>", "<lambda> (2)", "SGD", "print")
    assert tuple(dimension.value(label) for label in labels) == values
    (label,) = _dimension([Supervised(MLP(), loss=own_loss)]).points()
    assert "loss=own_loss" in label
    (label,) = _dimension([functools.partial(own_loss, targets=0)]).points()
    assert label == "functools.partial(own_loss, targets=0)"


def test_options_are_shown_as_they_are_written(digits):
    sweep = Sweep(experiment=digits, over={"optimizer": (SGD(), Adam())})
    assert sweep.space["optimizer"].points()[0].startswith("SGD(learning_rate=")


@pytest.mark.parametrize("values", [(0.1, 0.2, 0.1), (1, 1.0)])
def test_a_value_given_twice_is_refused(digits, values):
    with pytest.raises(UserError, match="the values of l2 name a value twice"):
        Sweep(experiment=digits, over={"l2": values})
