"""Hyperparameters that may be traced arrays instead of numbers."""

from typing import Any

from nnjax.errors import UserError

SEEDS = 2**32
"""Seeds are below this, so that every generator of random numbers takes them."""


def is_plain(value: Any, number: float) -> bool:
    """Whether a value is that number and no traced array, so that the program may depend on it."""
    return isinstance(value, float | int) and value == number


def check_number(
    what: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Refuses a number out of range; None and traced arrays pass.

    Args:
      what: names the number in the message, as in "learning rate".
      value: the number.
      at_least: the least that is allowed.
      above: allowed are only larger numbers.
      below: allowed are only smaller numbers.

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
    """Refuses numbers out of range, as ``check_number`` does, and a single one in their place.

    Raises:
      UserError: a number is out of range, or ``values`` is itself a number.
    """
    if isinstance(values, float | int):
        raise UserError(f"the {what} is given for each, as ({values},), not as {values} alone")
    for value in values:
        check_number(what, value, at_least=at_least)
