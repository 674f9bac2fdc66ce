"""Public names of classes and functions, such as ``nnjax.models.MLP``, and back.

A record names a class as people import it, not by the file in which it lies, so that the file may
move. Reading a name of nnjax or of a library below imports nothing but the modules of two fixed
tables. Every other name is the user's own: its module may be imported, which runs that module's
code, only where the user trusts the record (see :mod:`nnjax.runs.trust`).
"""

import importlib
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from nnjax.errors import UserError, nearest

PACKAGES = (
    "nnjax.activations",
    "nnjax.data",
    "nnjax.data.tasks",
    "nnjax.generation",
    "nnjax.initializers",
    "nnjax.layers",
    "nnjax.layers.cells",
    "nnjax.learners",
    "nnjax.losses",
    "nnjax.metrics",
    "nnjax.models",
    "nnjax.optimizers",
    "nnjax.schedules",
    "nnjax.solvers",
    "nnjax.sweeps",
    "nnjax.training",
)
"""Where nnjax's own classes and functions are public."""

LIBRARIES = ("optax.losses", "optax", "jax.numpy", "jax.nn", "flax.linen")
"""Libraries whose public classes and functions a record may name; the first that has one counts."""

EXCLUDED = {"jax.numpy": ("fromfile", "load", "printoptions", "save", "savez", "set_printoptions")}
"""Functions that touch files, or settings of the whole process."""

TABLE = (*sorted(PACKAGES, key=len), *LIBRARIES)

FILE_PREFIX = "nnjax_file_"
"""The modules of config files have names that begin so."""


def name_of(value: Any) -> str | None:
    """Returns the name under which a class or function can be imported; None where it has none.

    That is its name in the shortest public package which has it, else that of its own module.

    Example:
      >>> from nnjax.models import MLP
      >>> from nnjax.runs.public_names import name_of
      >>> name_of(MLP)
      'nnjax.models.MLP'
      >>> name_of(lambda x: x) is None
      True
    """
    name, own = getattr(value, "__name__", None), getattr(value, "__module__", None)
    if not isinstance(name, str) or not name.isidentifier():
        return None
    for package in TABLE:
        # A class cannot be there before its package is imported.
        module = sys.modules.get(package)
        if module is not None and _public(module, name) is value:
            return f"{package}.{name}"
    path = getattr(value, "__qualname__", name)
    module = sys.modules.get(own) if isinstance(own, str) else None
    found = None if module is None else _attribute(module, path)
    # A config file may have been loaded a second time, as the copy in a sweep is.
    is_same = found is value or (found is not None and _origin(found) == _origin(value))
    return f"{own}.{path}" if is_same else None


def find(path: str) -> Any:
    """Returns the class or function of nnjax or a library that a name stands for, None if none.

    Names by the file, as recorded at version 0.1.0, stand for the class in the package above.

    Example:
      >>> from nnjax.runs.public_names import find
      >>> find("nnjax.models.MLP") is find("nnjax.models.mlp.MLP")
      True
      >>> find("os.system") is None
      True
    """
    name = path.rpartition(".")[2]
    for package in sorted(TABLE, key=len, reverse=True):
        if path.startswith(f"{package}."):
            found = _public(importlib.import_module(package), name)
            if found is not None:
                return found
    return None


def find_own(
    path: str, modules: Mapping[str, ModuleType], *, trust: bool, kind: str = "class"
) -> Any:
    """Returns the class or function that a name outside of nnjax and the libraries stands for.

    Args:
      path: the name.
      modules: modules already loaded, by name.
      trust: whether another module may be imported, which runs its code.
      kind: "class" or "function", for the message.

    Raises:
      UserError: it stands for nothing, or its module is not there or must not be imported.
    """
    unknown = f"unknown {kind} '{path}' in a saved config"
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name, rest = ".".join(parts[:count]), ".".join(parts[count:])
        module = modules.get(name) or (_import(name) if trust else None)
        if module is not None:
            found = _attribute(module, rest)
            if found is None:
                hint = nearest(rest, vars(module))
                raise UserError(f"{unknown}{hint}")
            return found
    package = max((one for one in TABLE if path.startswith(f"{one}.")), key=len, default=None)
    if package is not None:
        module = importlib.import_module(package)
        known = getattr(module, "__all__", None) or vars(module)
        hint = nearest(parts[-1], known)
        raise UserError(f"{unknown}{hint}")
    why = "its module cannot be imported from here" if trust else "it is none of nnjax's own"
    raise UserError(f"{unknown}; {why}")


def is_within(path: str, modules: Iterable[str]) -> bool:
    """Whether a name is that of something in one of some modules."""
    return any(path.startswith(f"{name}.") for name in modules)


def loaded_modules(names: Iterable[str]) -> dict[str, ModuleType]:
    """Returns the modules already loaded in which things of these names lie, by module name."""
    found = {}
    for path in names:
        parts = path.split(".")
        for count in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:count])
            if name in sys.modules:
                found[name] = sys.modules[name]
                break
    return found


def _public(module: ModuleType, name: str) -> Any:
    """What a module of the tables offers under a name; None where that is private or missing."""
    value = vars(module).get(name)
    if name.startswith("_") or isinstance(value, ModuleType):
        return None
    if name in EXCLUDED.get(module.__name__, ()):
        return None
    if (offered := getattr(module, "__all__", None)) is not None:
        return value if name in offered else None
    # A module of nnjax without __all__ also holds what it imported.
    is_own = getattr(value, "__module__", None) == module.__name__
    return value if is_own or module.__name__ in LIBRARIES else None


def _origin(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, name, None) for name in ("__module__", "__qualname__", "__class__"))


def _attribute(module: ModuleType, path: str) -> Any:
    """What a user's module holds; None for what it imported of the standard library."""
    found: Any = None if path in EXCLUDED.get(module.__name__, ()) else module
    for name in path.split("."):
        found = getattr(found, name, None)
        origin = getattr(found, "__module__", None) or ""
        if isinstance(found, ModuleType) or _is_standard(origin):
            return None
    return found


def _import(name: str) -> ModuleType | None:
    """The module of that name, None where there is none."""
    # No class of the standard library is a config, and importing some of it has effects.
    if _is_standard(name):
        return None
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            return None
        raise UserError(f"cannot import {name}, which a saved config needs: {error}") from error
    except Exception as error:
        raise UserError(f"cannot import {name}, which a saved config needs: {error}") from error


def _is_standard(module: str) -> bool:
    return module != "__main__" and module.partition(".")[0] in sys.stdlib_module_names
