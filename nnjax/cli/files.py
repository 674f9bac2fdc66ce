"""Finds and loads config files and experiment scripts, by name or by path."""

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nnjax
from nnjax.errors import UserError, nearest


def folder(name: str) -> Path:
    """Returns the folder ``configs`` or ``experiments``, inside the package or beside it."""
    package = Path(nnjax.__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


def config_files() -> dict[str, Path]:
    """Returns the config files of this installation, by the name of the experiment."""
    files = sorted(folder("configs").glob("*.py"))
    return {file.stem: file for file in files if not file.stem.startswith("_")}


def is_built_in(file: Path) -> bool:
    """Whether a config file came with this installation."""
    return file.resolve().parent == folder("configs").resolve()


def first_line(file: Path) -> str:
    """Returns the first line of a Python file's docstring, without running the file."""
    try:
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    except (SyntaxError, ValueError):
        return "(cannot be read as Python)"
    return docstring.partition("\n")[0]


def find_config(name: str) -> Path:
    """Returns the config file of a name, or at a path.

    Raises:
      UserError: there is no such config file.
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise UserError(f"there is no config file '{name}'")
        return Path(name).resolve()
    files = config_files()
    if name in files:
        return files[name]
    if Path(f"{name}.py").is_file():
        hint = f", did you mean '{name}.py'?"
    else:
        hint = nearest(name, files) or "; 'nnjax list' names them all"
    raise UserError(f"there is no experiment '{name}'{hint}")


MODULE_PREFIX = "nnjax_file_"
"""The name of a config file's module is this prefix and the name of the file."""


def module_name(file: Path) -> str:
    """Returns the name of a file's module, which a saved config has for the classes of the file."""
    return MODULE_PREFIX + re.sub(r"\W", "_", file.stem)


def load(file: Path, original: Path | None = None) -> ModuleType:
    """Runs a Python file as a module, which can import files from the same folder.

    Args:
      file: the file.
      original: the file that ``file`` is a copy of; the module has its name, and can import files
        from its folder.

    Raises:
      UserError: the file is missing, or running it raises an error.
    """
    original = original or file
    if not file.is_file():
        raise UserError(f"there is no file '{file}'")
    name = module_name(original)
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(file):
        return sys.modules[name]
    _import_from(original.parent)
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Registered, so that pickling and saved configs find the classes that it defines.
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        copied = isinstance(error, ModuleNotFoundError) and file != original
        where = f"; what {original} imports is looked for beside it" if copied else ""
        raise UserError(f"{file}{_line_in(error, file)}: {kind}{error}{where}") from error
    return module


_folders: list[str] = []
"""Folders at the end of ``sys.path``: the newest first, those of nnjax last."""


def _import_from(place: Path) -> None:
    """Puts a folder on ``sys.path``, before the folders of files that were loaded earlier.

    Two projects may each have a ``common.py``: a module that was imported from an earlier folder is
    imported again if the new folder has a module of the same name.
    """
    if str(place) in sys.path and str(place) not in _folders:
        return
    earlier = [other for other in _folders if other != str(place)]
    if place in (folder("configs"), folder("experiments")):
        _folders[:] = [*earlier, str(place)]
    else:
        _forget_namesakes(place, earlier)
        _folders[:] = [str(place), *earlier]
    others = [other for other in sys.path if other not in _folders]
    sys.path[:] = others + _folders


def _forget_namesakes(place: Path, earlier: list[str]) -> None:
    """Forgets modules of earlier folders if the new folder has a module of the same name."""
    for package in {name.partition(".")[0] for name in sys.modules} if earlier else ():
        origin = _origin(package)
        if origin and str(origin.parent) in earlier and (place / origin.name).exists():
            for name in list(sys.modules):
                if name.partition(".")[0] == package:
                    del sys.modules[name]


def _origin(name: str) -> Path | None:
    """The file of an imported top-level module, or the folder of its package."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or name == "__main__" or name.startswith(MODULE_PREFIX):
        return None
    return Path(file).parent if Path(file).stem == "__init__" else Path(file)


def _line_in(error: BaseException, file: Path) -> str:
    """The line of the file in which an error occurred, as in ", line 12"."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f", line {line}" if line else ""


def read_config(module: ModuleType) -> Any:
    """Returns the ``config`` of a config file.

    Raises:
      UserError: the file defines no ``config``, or one that is not an Experiment, or a field has a
        value of another type than declared.
    """
    from nnjax.training.experiment import Experiment

    config = getattr(module, "config", None)
    if not isinstance(config, Experiment):
        found = "no config" if config is None else f"a config of type {type(config).__name__}"
        raise UserError(
            f"{module.__file__} defines {found}; it must define config = Experiment(...)"
        )
    return check_types(config, module)


def check_types(config: Any, module: ModuleType) -> Any:
    """Returns a config of a file, with fields that all have their declared types.

    Raises:
      UserError: a field holds a value of another type, or one that a run directory cannot record.
    """
    from nnjax.field_types import conform
    from nnjax.runs import config_json

    try:
        config = conform(config)
        config_json.to_json(config)
        return config
    except UserError as error:
        raise UserError(f"{module.__file__}: {error}") from error
