"""Hyperparameters that may be traced arrays instead of numbers."""

from typing import Any

from nnjax.errors import UserError

SEEDS = 2**32
"""Upper bound of seeds: NumPy, JAX and scikit-learn all accept seeds below it."""


def is_plain(value: Any, number: float) -> bool:
    """Whether a value is this Python number, on which a compiled program may depend; not traced."""
    return isinstance(value, float | int) and value == number


def check_number(
    what: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Raises a UserError for a number out of range; None and traced arrays pass.

    Args:
      what: the name of the number in the message, as in "learning rate".
      value: the number.
      at_least: the smallest number allowed.
      above: only larger numbers are allowed.
      below: only smaller numbers are allowed.

    Raises:
      UserError: the number is out of range, or NaN.
    """
    if not isinstance(value, float | int):
        return
    if at_least is not None and not value >= at_least:
        raise UserError(f"the {what} must be at least {at_least}, not {value}")
    if above is not None and not value > above:
        raise UserError(f"the {what} must be above {above}, not {value}")
    if below is not None and not value < below:
        raise UserError(f"the {what} must be below {below}, not {value}")


def check_numbers(what: str, values: Any, *, at_least: float) -> None:
    """Raises a UserError for a tuple with a number out of range, or for a single number.

    Raises:
      UserError: a number is out of range, or ``values`` is itself a number.
    """
    if isinstance(values, float | int):
        raise UserError(f"the {what} is given for each, as ({values},), not as {values} alone")
    for value in values:
        check_number(what, value, at_least=at_least)
