"""Checks that the fields of nested options hold values of their declared types and bounds."""

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from nnjax import fields
from nnjax.errors import UserError

WHOLE = fields.Bounds(-(2**53), 2**53)
"""Whole numbers in these bounds are exact as floating-point numbers, too."""

PLAIN_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
    type(None): "None",
}


def conform(config: Any) -> Any:
    """Returns options whose fields all have their declared types and are within their bounds.

    Strings become paths where a path is declared, lists become tuples, and numbers and arrays of
    NumPy become Python numbers and tuples of them.

    Args:
      config: a dataclass, whose fields may be dataclasses too.

    Raises:
      UserError: a field has another type or a number out of bounds; the sentence names the field by
        its dotted path.
    """
    return _conform(config, "")


def conform_value(config: Any, path: str, value: Any) -> Any:
    """Returns a value for the field at a path, of its declared type.

    Raises:
      UserError: there is no such field, or the value is of another type.
    """
    new = _conform_field(value, fields.kind(config, path), path, f"{path}.")
    *above, name = fields.resolve(config, path)
    _check_numbers(type(functools.reduce(getattr, above, config)), name, new, path)
    return new


def _conform(config: Any, prefix: str) -> Any:
    changed = {}
    for name, kind, hidden in _declared(type(config)):
        value, path = getattr(config, name), prefix + name
        new = _conform_field(value, kind, path, prefix if hidden else f"{path}.")
        _check_numbers(type(config), name, new, path)
        if new is not value:
            changed[name] = new
    return fields.replace(config, changed) if changed else config


def _conform_field(value: Any, kind: Any, path: str, prefix: str) -> Any:
    """The value brought to the type; the paths of its own fields begin with the prefix."""
    new = _field(value, kind, path)
    return _conform(new, prefix) if fields.is_options(new) else new


def _check_numbers(cls: type, name: str, value: Any, path: str) -> None:
    """Refuses numbers out of the bounds of a field; without any, numbers that no field can use.

    Fields of the user's own classes may hold NaN and numbers of any size, unless they have bounds.
    """
    if isinstance(value, tuple):
        for item in value:
            _check_numbers(cls, name, item, path)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    declared = fields.bounds(cls).get(name)
    if declared is None and cls.__module__.partition(".")[0] != "nnjax":
        return
    if not math.isfinite(value):
        raise UserError(f"{path} must be a finite number, not {value}")
    within = declared or (WHOLE if isinstance(value, int) else fields.Bounds())
    if not within.at_least <= value <= within.at_most:
        raise UserError(f"{path} must be {within}, not {value:,}")


def _declared(cls: type) -> list[tuple[str, Any, bool]]:
    try:
        return fields.declared(cls)
    except NameError:  # A user's class whose types are imported for a type checker only.
        return []


def _field(value: Any, kind: Any, path: str) -> Any:
    """The value, or its equivalent of the declared type; a UserError if there is none."""
    if _is(value, kind):
        return value
    if isinstance(value, str) and _is(Path(value), kind):
        value = Path(value)
        if "\0" in str(value):
            raise UserError(f"{path} is {str(value)!r}, with a NUL, which no path has")
        return value
    if _is(plain := _plain(value), kind):
        return plain
    if dataclasses.is_dataclass(value) and isinstance(value, type):
        raise UserError(f"{path} is the class {value.__name__}: call it, as {value.__name__}()")
    raise UserError(f"{path} must be {_name(kind)}, not {value!r}")


def _plain(value: Any) -> Any:
    """The value with NumPy numbers as Python numbers, and lists and arrays as tuples."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _is(value: Any, kind: Any) -> bool:
    # Code that uses a protocol checks the methods that it calls.
    if getattr(kind, "_is_protocol", False):
        return True
    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


def _name(kind: Any) -> str:
    """A type as people write it, without module names."""
    if kind is Callable:
        return "a function"
    if kind in PLAIN_NAMES:
        return PLAIN_NAMES[kind]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(map(_name, typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(kind)))
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return f"a value of type {kind.__name__}"
    return "of type " + re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(kind))
