"""Configs as JSON: nested frozen dataclasses, Flax modules among them, to dictionaries and back.

A dataclass becomes ``{"class": "nnjax.models.MLP", "features": [30], ...}`` with every field,
so that a record keeps its meaning when a default changes. A function becomes
``{"function": "optax.losses.huber_loss"}``, and a ``functools.partial`` of one also has
``"arguments": {"delta": 2.0}``. A tuple is a JSON list; other values that JSON has no form for are
tagged: ``{"path": "data"}``, ``{"float": "nan"}``, ``{"list": [...]}``, ``{"dict": {...}}``.
Numbers come back exactly.

Reading a record runs no code but nnjax's own: see :mod:`nnjax.runs.public_names`.
"""

import dataclasses
import functools
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nnjax import fields
from nnjax.errors import UserError, nearest
from nnjax.runs import public_names

NO_MODULES: Mapping[str, ModuleType] = {}

NOT_OPTIONS = {*sys.stdlib_module_names, "numpy", "jaxlib"}
"""Packages whose classes nobody could make dataclasses of."""

HOW_TO_NAME = (
    "define it with def at the top of a file, or give functools.partial(F, ...) of the function F "
    "that makes it, as functools.partial(optax.adamw, weight_decay=0.1)"
)


class _Reader(NamedTuple):
    """Where the classes and functions of a record may come from."""

    modules: Mapping[str, ModuleType]
    trust: bool

    def find(self, path: Any, kind: str) -> Any:
        """The class or function at a dotted path."""
        if not isinstance(path, str) or not all(map(str.isidentifier, path.split("."))):
            raise UserError(f"a saved config names a {kind} {path!r}, which is no {kind} path")
        found = public_names.find(path)
        if found is None:
            found = public_names.find_own(path, self.modules, trust=self.trust, kind=kind)
        return found


def to_json(config: Any) -> dict[str, Any]:
    """Returns a dataclass as a dictionary that ``json`` can write.

    Raises:
      UserError: a field holds something other than numbers, strings, paths, None, functions,
        tuples, lists, mappings from strings, and dataclasses of such.
    """
    if not fields.is_options(config):
        raise UserError(f"a config must be a dataclass, not {config!r}")
    return _encode(config, type(config).__name__)


def from_json(
    data: Any, modules: Mapping[str, ModuleType] = NO_MODULES, *, trust: bool = False
) -> Any:
    """Rebuilds what :func:`to_json` wrote; fields that are missing take their defaults.

    Args:
      data: the dictionary.
      modules: modules already loaded, by name, for classes and functions of the user's own.
      trust: whether other modules that the data names may be imported, which runs their code.

    Raises:
      UserError: the data names an unknown class, function or field, or is damaged.
    """
    if not isinstance(data, dict) or "class" not in data:
        raise UserError("this is no saved config: it names no class")
    return _decode(data, _Reader(modules, trust))


def own_names(data: Any, modules: Mapping[str, ModuleType] = NO_MODULES) -> list[str]:
    """Returns the names in saved data that are neither nnjax's nor a library's, in order.

    To find what they stand for is to import modules of the user, or of whoever sent the data.

    Args:
      data: the dictionary.
      modules: modules already loaded, by name, whose classes and functions are left out.
    """
    named = {name for name in _names(data) if public_names.find(name) is None}
    return sorted(name for name in named if not public_names.is_within(name, modules))


def modules_of(config: Any) -> dict[str, ModuleType]:
    """Returns the loaded modules, by name, of everything in a config that is the user's own."""
    return public_names.loaded_modules(own_names(to_json(config)))


def _names(data: Any) -> Iterator[str]:
    """Every name of a class or function in saved data."""
    if isinstance(data, dict):
        yield from (data[tag] for tag in ("class", "function") if isinstance(data.get(tag), str))
        # A mapping of the user's may have any keys.
        mapping = data.get("dict") if len(data) == 1 else None
        data = list((mapping if isinstance(mapping, dict) else data).values())
    for item in data if isinstance(data, list) else ():
        yield from _names(item)


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if fields.is_options(value):
        return _encode_dataclass(value, where)
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is tuple:
        return [_encode(item, where) for item in value]
    if isinstance(value, list):
        return {"list": [_encode(item, where) for item in value]}
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        return {"dict": {key: _encode(item, where) for key, item in value.items()}}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, functools.partial):
        return _encode_partial(value, where)
    if callable(value):
        return _encode_function(value, where)
    if isinstance(value, tuple) and any(map(callable, value)):
        raise UserError(
            f"{where} is a {type(value).__name__}, whose functions have no names that a saved "
            f"config could hold; {HOW_TO_NAME}"
        )
    if type(value).__module__.partition(".")[0] not in sys.stdlib_module_names | {
        "numpy",
        "jaxlib",
    }:
        raise UserError(
            f"{where} is a {type(value).__name__}, which a saved config cannot hold; put "
            "@dataclasses.dataclass(frozen=True) above that class"
        )
    raise UserError(f"{where} is {value!r}, which a saved config cannot hold; give a name instead")


def _encode_dataclass(value: Any, where: str) -> dict[str, Any]:
    cls = type(value)
    if "<locals>" in cls.__qualname__:
        raise UserError(
            f"{where} is of class {cls.__qualname__}, defined inside a function, where a saved "
            "config cannot find it; define it at the top of a file"
        )
    options = {name: _encode(getattr(value, name), f"{where}.{name}") for name in fields.names(cls)}
    return {"class": public_names.name_of(cls) or f"{cls.__module__}.{cls.__qualname__}", **options}


def _encode_function(value: Any, where: str) -> dict[str, Any]:
    name = public_names.name_of(value)
    if name is None:
        shown = getattr(value, "__qualname__", repr(value))
        raise UserError(
            f"{where} is the function {shown}, which a saved config cannot hold; {HOW_TO_NAME}"
        )
    return {"function": name}


def _encode_partial(value: functools.partial, where: str) -> dict[str, Any]:
    if value.args:
        raise UserError(
            f"{where} is a functools.partial with arguments {value.args!r} that have no names, "
            "which a saved config cannot hold; give them by name"
        )
    arguments = {
        name: _encode(item, f"{where}.{name}") for name, item in sorted(value.keywords.items())
    }
    return {**_encode_function(value.func, where), "arguments": arguments}


def _decode(data: Any, reader: _Reader) -> Any:
    if isinstance(data, list):
        return tuple(_decode(item, reader) for item in data)
    if not isinstance(data, dict):
        return data
    if "class" in data:
        return _decode_dataclass(data, reader)
    match data:
        case {"float": "nan" | "inf" | "-inf" as text, **others} if not others:
            return float(text)
        case {"path": str(text), **others} if not others and "\0" not in text:
            return Path(text)
        case {"list": list(items), **others} if not others:
            return [_decode(item, reader) for item in items]
        case {"dict": dict(items), **others} if not others:
            return {key: _decode(item, reader) for key, item in items.items()}
        case {"function": path, **others} if not others:
            return _decode_function(path, reader)
        case {"function": path, "arguments": dict(items), **others} if not others:
            arguments = {name: _decode(item, reader) for name, item in items.items()}
            return functools.partial(_decode_function(path, reader), **arguments)
    raise UserError(f"a saved config cannot hold {data!r}")


def _decode_dataclass(data: dict[str, Any], reader: _Reader) -> Any:
    path = data["class"]
    cls = reader.find(path, "class")
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        raise UserError(f"unknown class '{path}' in a saved config: it is no dataclass")
    known = fields.names(cls)
    options = {}
    for name, value in data.items():
        if name == "class":
            continue
        if name not in known:
            raise UserError(f"unknown field '{name}' of {path}{nearest(name, known)}")
        options[name] = _decode(value, reader)
    try:
        return cls(**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"cannot make a {path} of a saved config: {error}") from error


def _decode_function(path: Any, reader: _Reader) -> Any:
    found = reader.find(path, "function")
    if not callable(found):
        raise UserError(f"'{path}' in a saved config is no function")
    return found
