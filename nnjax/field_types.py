"""Whether the fields of nested options hold what they are declared to hold."""

import dataclasses
import re
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from nnjax import fields
from nnjax.errors import UserError

PLAIN_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
    type(None): "None",
}


def conform(config: Any) -> Any:
    """Returns options whose fields all have their declared types.

    Paths may be given as texts, tuples as lists, and numbers and tuples of them as NumPy's.

    Args:
      config: a dataclass whose fields may be dataclasses in turn.

    Raises:
      UserError: a field holds something else; the sentence names it by its dotted path.
    """
    return _conform(config, "")


def conform_value(config: Any, path: str, value: Any) -> Any:
    """Returns a value for the field at a path, of its declared type.

    Raises:
      UserError: there is no such field, or the value is of another type.
    """
    return _conform_field(value, fields.kind(config, path), path, f"{path}.")


def _conform(config: Any, prefix: str) -> Any:
    changed = {}
    for name, kind, hidden in _declared(type(config)):
        value, path = getattr(config, name), prefix + name
        new = _conform_field(value, kind, path, prefix if hidden else f"{path}.")
        if new is not value:
            changed[name] = new
    return fields.replace(config, changed) if changed else config


def _conform_field(value: Any, kind: Any, path: str, prefix: str) -> Any:
    """A value of the type, and so the fields that it has, whose paths begin with the prefix."""
    new = _field(value, kind, path)
    return _conform(new, prefix) if fields.is_options(new) else new


def _declared(cls: type) -> list[tuple[str, Any, bool]]:
    try:
        return fields.declared(cls)
    except NameError:  # Somebody's own class, with types that are imported for a type checker only.
        return []


def _field(value: Any, kind: Any, path: str) -> Any:
    """The value, or what it stands for, if that is of the type."""
    if _is(value, kind):
        return value
    if isinstance(value, str) and _is(Path(value), kind):
        return Path(value)
    if _is(plain := _plain(value), kind):
        return plain
    if dataclasses.is_dataclass(value) and isinstance(value, type):
        raise UserError(f"{path} is the class {value.__name__}: call it, as {value.__name__}()")
    raise UserError(f"{path} must be {_name(kind)}, not {value!r}")


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's, and lists and arrays of them as tuples."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _is(value: Any, kind: Any) -> bool:
    # A protocol is checked where it is used, for what is used of it.
    if getattr(kind, "_is_protocol", False):
        return True
    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


def _name(kind: Any) -> str:
    """A type as people write it: without modules."""
    if kind in PLAIN_NAMES:
        return PLAIN_NAMES[kind]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(map(_name, typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(kind)))
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return f"a value of type {kind.__name__}"
    return "of type " + re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(kind))
