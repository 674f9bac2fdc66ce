"""Numbers that may be traced."""

import jax
import jax.numpy as jnp
import pytest

from nnjax.errors import UserError
from nnjax.traced import check_number, check_numbers, is_plain


def test_only_python_numbers_are_plain():
    assert is_plain(0, 0)
    assert is_plain(0.0, 0)
    assert not is_plain(0.5, 0)
    assert not is_plain(jnp.zeros(()), 0)


def test_a_tracer_is_not_plain_and_passes_the_check():
    seen = []

    @jax.jit
    def program(x):
        seen.append(is_plain(x, 0))
        check_number("rate", x, at_least=5)
        return x

    program(0.0)
    assert seen == [False]


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (-1, {"at_least": 0}, "the rate must be at least 0, not -1"),
        (0.0, {"above": 0}, "the rate must be above 0, not 0.0"),
        (1.0, {"below": 1}, "the rate must be below 1, not 1.0"),
        (float("nan"), {"at_least": 0}, "the rate must be at least 0, not nan"),
    ],
)
def test_numbers_out_of_range_are_refused(value, bounds, message):
    with pytest.raises(UserError, match=message):
        check_number("rate", value, **bounds)


def test_bounds_and_none_are_allowed():
    check_number("rate", 0, at_least=0, below=1)
    check_number("rate", None, above=0)


def test_numbers_of_layers_are_checked_one_by_one():
    check_numbers("width", (), at_least=1)
    check_numbers("width", (1, 2), at_least=1)
    with pytest.raises(UserError, match="the width must be at least 1, not 0"):
        check_numbers("width", (1, 0), at_least=1)
    with pytest.raises(UserError, match=r"the width is given for each, as \(5,\), not as 5 alone"):
        check_numbers("width", 5, at_least=1)
