"""Configs as JSON: nested frozen dataclasses, Flax modules among them, to dictionaries and back.

A dataclass becomes ``{"class": "nnjax.models.MLP", "features": [30], ...}`` with every field,
so that a record keeps its meaning when a default changes. A tuple is a JSON list; what JSON has no
form for is tagged: ``{"path": "data"}``, ``{"float": "nan"}``, ``{"list": [...]}``,
``{"dict": {...}}``. Numbers come back exactly.
"""

import dataclasses
import importlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from nnjax import fields
from nnjax.errors import UserError, nearest


def to_json(config: Any) -> dict[str, Any]:
    """Returns a dataclass as a dictionary that ``json`` can write.

    Raises:
      UserError: a field holds something else than numbers, strings, paths, None, tuples, lists,
        mappings from strings, and dataclasses of such.
    """
    if not fields.is_options(config):
        raise UserError(f"a config must be a dataclass, not {config!r}")
    return _encode(config, type(config).__name__)


def from_json(data: Any, modules: Mapping[str, ModuleType] | None = None) -> Any:
    """Rebuilds what :func:`to_json` wrote; fields that are missing take their defaults.

    Args:
      data: the dictionary.
      modules: modules already loaded, by name, for classes of a file that cannot be imported.

    Raises:
      UserError: the data names an unknown class or field, or is damaged.
    """
    if not isinstance(data, dict) or "class" not in data:
        raise UserError("this is no saved config: it names no class")
    return _decode(data, modules or {})


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
    raise UserError(f"{where} is {value!r}, which a saved config cannot hold; give a name instead")


def _encode_dataclass(value: Any, where: str) -> dict[str, Any]:
    cls = type(value)
    if "<locals>" in cls.__qualname__:
        raise UserError(
            f"{where} is of class {cls.__qualname__}, defined inside a function, where a saved "
            "config cannot find it; define it at the top of a file"
        )
    options = {name: _encode(getattr(value, name), f"{where}.{name}") for name in fields.names(cls)}
    return {"class": f"{cls.__module__}.{cls.__qualname__}", **options}


def _decode(data: Any, modules: Mapping[str, ModuleType]) -> Any:
    if isinstance(data, list):
        return tuple(_decode(item, modules) for item in data)
    if not isinstance(data, dict):
        return data
    if "class" in data:
        return _decode_dataclass(data, modules)
    match data:
        case {"float": "nan" | "inf" | "-inf" as text, **others} if not others:
            return float(text)
        case {"path": str(text), **others} if not others:
            return Path(text)
        case {"list": list(items), **others} if not others:
            return [_decode(item, modules) for item in items]
        case {"dict": dict(items), **others} if not others:
            return {key: _decode(item, modules) for key, item in items.items()}
    raise UserError(f"a saved config cannot hold {data!r}")


def _decode_dataclass(data: dict[str, Any], modules: Mapping[str, ModuleType]) -> Any:
    path = data["class"]
    cls = _find_class(path, modules)
    known = fields.names(cls)
    options = {}
    for name, value in data.items():
        if name == "class":
            continue
        if name not in known:
            raise UserError(f"unknown field '{name}' of {path}{nearest(name, known)}")
        options[name] = _decode(value, modules)
    try:
        return cls(**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"cannot make a {path} of a saved config: {error}") from error


def _find_class(path: Any, modules: Mapping[str, ModuleType]) -> type:
    """The dataclass at a dotted path; nothing else can be reached."""
    if not isinstance(path, str) or not all(map(str.isidentifier, path.split("."))):
        raise UserError(f"a saved config names a class {path!r}, which is no class path")
    for module, qualified_name in _modules_of(path, modules):
        found: Any = module
        for name in qualified_name.split("."):
            found = getattr(found, name, None)
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            return found
        hint = nearest(qualified_name, vars(module))
        raise UserError(f"unknown class '{path}' in a saved config{hint}")
    raise UserError(
        f"unknown class '{path}' in a saved config; its module cannot be imported from here"
    )


def _modules_of(path: str, modules: Mapping[str, ModuleType]) -> Iterator[tuple[ModuleType, str]]:
    """The module that a class path begins with, longest name first, and the rest of the path."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        module = modules.get(name) or _import(name)
        if module is not None:
            yield module, ".".join(parts[count:])


def _import(name: str) -> ModuleType | None:
    """The module of that name, None where there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            return None
        raise UserError(f"cannot import {name}, which a saved config needs: {error}") from error
    except Exception as error:
        raise UserError(f"cannot import {name}, which a saved config needs: {error}") from error
