"""Fields of nested options by dotted path, such as ``optimizer.learning_rate``.

Options are nested frozen dataclasses, such as Flax modules. A path names a field as the command
line does: hyphens and underscores are the same, and a part that the command line omits from the
names of options (``tyro.conf.arg(name="")``) may be omitted from the path.
"""

import copy
import dataclasses
import functools
import math
import sys
import typing
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from nnjax.errors import UserError, nearest


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The numbers that a field may hold, as in ``Annotated[int, Bounds(at_least=1)]``.

    They hold for each number of a tuple. None, where the field may be None, is within all bounds.

    Attributes:
      at_least: the smallest number.
      at_most: the largest number.

    Example:
      >>> from nnjax.fields import Bounds
      >>> str(Bounds(0, 1024))
      '0 to 1,024'
    """

    at_least: float = -math.inf
    at_most: float = math.inf

    def __str__(self) -> str:
        if self.at_least == -math.inf:
            return f"at most {self.at_most:,}"
        if self.at_most == math.inf:
            return f"at least {self.at_least:,}"
        return f"{self.at_least:,} to {self.at_most:,}"


def get(config: Any, path: str) -> Any:
    """Returns the value at a path.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    while path:
        name, path = _step(config, path)
        config = getattr(config, name)
    return config


def replace(config: Any, changes: Mapping[str, Any], *, check: bool = True) -> Any:
    """Returns a copy with new values at some paths.

    All changes of one dataclass are made at once, because its ``__post_init__`` may check fields
    against each other. A value may be anything, such as a traced array.

    Args:
      config: a dataclass.
      changes: the new values, by path.
      check: whether ``__post_init__`` runs; False if more changes will follow.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    by_name: dict[str, dict[str, Any]] = defaultdict(dict)
    for path, value in changes.items():
        name, rest = _step(config, path)
        by_name[name][rest] = value
    changed = {name: _changed(config, name, inner, check) for name, inner in by_name.items()}
    return _copy(config, changed, check)


def resolve(config: Any, path: str) -> tuple[str, ...]:
    """Returns the names of the fields on a path, including those that the path omits.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    found = []
    while path:
        name, path = _step(config, path)
        config = getattr(config, name)
        found.append(name)
    return tuple(found)


def paths(config: Any) -> dict[str, tuple[Any, Any]]:
    """Returns the type and the value of every field that is not itself made of fields."""
    found = {}
    for name, kind, hidden in declared(type(config)):
        value = getattr(config, name)
        if not is_options(value):
            found[name] = (kind, value)
            continue
        prefix = "" if hidden else f"{name}."
        found |= {prefix + inner: entry for inner, entry in paths(value).items()}
    return found


def kind(config: Any, path: str) -> Any:
    """Returns the declared type of the field at a path.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    *above, last = resolve(config, path)
    holder = functools.reduce(getattr, above, config)
    return next(kind for name, kind, _ in declared(type(holder)) if name == last)


def is_whole(config: Any, path: str) -> bool:
    """Whether the declared type of the field at a path is ``int`` or ``int | None``.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    return kind(config, path) in (int, int | None)


def is_several(config: Any, path: str) -> bool:
    """Whether the declared type of the field at a path is a tuple, or a union with a tuple.

    Raises:
      UserError: there is no such field; the message suggests the nearest name.
    """
    declared_kind = kind(config, path)
    kinds = (declared_kind, *typing.get_args(declared_kind))
    return any(typing.get_origin(one) is tuple for one in kinds)


def is_options(value: Any) -> bool:
    """Whether a value is an instance of a dataclass, such as a Flax module."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def names(cls: type) -> list[str]:
    """Returns the names of a dataclass's fields, without those that Flax adds to a module."""
    added = ("parent", "name") if _is_flax_module(cls) else ()
    options = [field.name for field in dataclasses.fields(cls) if field.init]
    return [name for name in options if name not in added]


@functools.cache
def bounds(cls: type) -> dict[str, Bounds]:
    """Returns the bounds of a dataclass's fields, by name, for the fields that have bounds."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for name in names(cls):
        if typing.get_origin(hints[name]) is typing.Annotated:
            for note in typing.get_args(hints[name])[1:]:
                if isinstance(note, Bounds):
                    found[name] = note
    return found


def all_bounds(config: Any) -> dict[str, Bounds]:
    """Returns the bounds of nested fields, by dotted path, for the fields that have bounds."""
    found: dict[str, Bounds] = dict(bounds(type(config)))
    for name, _, hidden in declared(type(config)):
        value, prefix = getattr(config, name), "" if hidden else f"{name}."
        if is_options(value):
            found |= {prefix + inner: one for inner, one in all_bounds(value).items()}
    return found


@functools.cache
def declared(cls: type) -> list[tuple[str, Any, bool]]:
    """Returns for each field its name, its type, and whether the command line omits its name."""
    hints = typing.get_type_hints(cls, include_extras=True)
    described = []
    for name in names(cls):
        kind, *notes = (
            typing.get_args(hints[name])
            if typing.get_origin(hints[name]) is typing.Annotated
            else (hints[name],)
        )
        described.append((name, kind, any(getattr(note, "name", None) == "" for note in notes)))
    return described


def _step(config: Any, path: str) -> tuple[str, str]:
    """The first field of a path, and the rest of the path."""
    if is_options(config):
        normal = path.replace("-", "_")
        head, _, rest = normal.partition(".")
        known = declared(type(config))
        if head in [name for name, _, _ in known]:
            return head, rest
        for name, _, hidden in known:
            if hidden and _leads_somewhere(getattr(config, name), normal):
                return name, normal
        raise UserError(
            f"unknown field '{path}' of {type(config).__name__}{nearest(normal, paths(config))}"
        )
    raise UserError(f"there is no field '{path}' in {config!r}, which has no fields")


def _leads_somewhere(config: Any, path: str) -> bool:
    try:
        _step(config, path)
    except UserError:
        return False
    return True


def _changed(config: Any, name: str, changes: dict[str, Any], check: bool) -> Any:
    """The new value of a field: replaced as a whole (the empty path), in parts, or both."""
    value = changes.pop("", getattr(config, name))
    return replace(value, changes, check=check) if changes else value


def _copy(config: Any, changes: Mapping[str, Any], check: bool) -> Any:
    # dataclasses.replace would copy the parent of a Flax module and share its submodules.
    if _is_flax_module(type(config)):
        return config.clone(**changes)
    if check:
        return dataclasses.replace(config, **changes)
    unchecked = copy.copy(config)
    for name, value in changes.items():
        object.__setattr__(unchecked, name, value)
    return unchecked


def _is_flax_module(cls: type) -> bool:
    # Importing Flax takes half a second, and without Flax there are no modules.
    linen = sys.modules.get("flax.linen")
    return linen is not None and issubclass(cls, linen.Module)
