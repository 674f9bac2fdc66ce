"""Hyperparameters that may be traced arrays instead of numbers."""

from typing import Any


def is_plain(value: Any, number: float) -> bool:
    """Whether a value is that number and no traced array, so that the program may depend on it."""
    return isinstance(value, float | int) and value == number
