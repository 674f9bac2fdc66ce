"""The error that people can cause, warnings, and suggestions for misspelt names."""

import difflib
import sys
from collections.abc import Iterable, Mapping
from typing import TypeVar

from nnjax.escapes import printable

Value = TypeVar("Value")


class UserError(Exception):
    """An error that a person caused: one sentence with the wrong value and what to do.

    The command line prints the message alone and exits with a non-zero status. Library code
    raises this error if a person, not a program, is at fault.
    """


def warn(message: str) -> None:
    """Prints a message to stderr, and not into piped output, with control characters escaped."""
    print(printable(f"nnjax: {message}", keep="\n\t"), file=sys.stderr)


def nearest(name: str, options: Iterable[str]) -> str:
    """Returns ``", did you mean 'x'?"`` for the option most like ``name``, or an empty string."""
    matches = difflib.get_close_matches(name, list(options), cutoff=0.5)
    if not matches:
        return ""
    # Swapped letters are the most common typing error, so such a match comes before all others.
    best = min(matches, key=lambda match: sorted(match) != sorted(name))
    return f", did you mean '{best}'?"


def choose(kind: str, name: str, options: Mapping[str, Value]) -> Value:
    """Returns ``options[name]``.

    Raises:
      UserError: there is no such name; the message lists the names and suggests the nearest.
    """
    if name in options:
        return options[name]
    hint = nearest(name, options) or "; choose one of " + ", ".join(sorted(options))
    raise UserError(f"unknown {kind} '{name}'{hint}")
