"""Finding and loading config files and experiment scripts, by name or by path."""

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
    """``configs`` or ``experiments``: inside an installed package, else beside it in the source."""
    package = Path(nnjax.__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


def config_files() -> dict[str, Path]:
    """The config files of this installation, by the name of the experiment."""
    files = sorted(folder("configs").glob("*.py"))
    return {file.stem: file for file in files if not file.stem.startswith("_")}


def is_built_in(file: Path) -> bool:
    """Whether a config file came with this installation."""
    return file.resolve().parent == folder("configs").resolve()


def first_line(file: Path) -> str:
    """The first line of a Python file's docstring, without running the file."""
    try:
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    except (SyntaxError, ValueError):
        return "(cannot be read as Python)"
    return docstring.partition("\n")[0]


def find_config(name: str) -> Path:
    """The config file of that name, or at that path.

    Raises:
      UserError: there is none.
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
"""Config files become modules whose names begin so, and then are those of the files."""


def module_name(file: Path) -> str:
    """The name under which a file is loaded: that of the classes it defines, in a saved config."""
    return MODULE_PREFIX + re.sub(r"\W", "_", file.stem)


def load(file: Path, original: Path | None = None) -> ModuleType:
    """Runs a Python file as a module of its own, able to import what lies beside it.

    Args:
      file: the file.
      original: the file that this one is a copy of; the module is named after it, and may import
        what lies beside it.

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
    # Registered under its name, so that the classes it defines can be found again.
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
"""Where imports look after all that Python itself looks at: the newest first, our own last."""


def _import_from(place: Path) -> None:
    """Lets imports find what lies in a folder, before what lies beside the files loaded earlier.

    A module that was imported from beside an earlier file is imported anew where the folder has one
    of that name: two projects may each have their ``common.py``.
    """
    if str(place) in sys.path and str(place) not in _folders:
        return
    earlier = [other for other in _folders if other != str(place)]
    if place in (folder("configs"), folder("experiments")):
        _folders[:] = [*earlier, str(place)]
    else:
        _forget_namesakes(place, earlier)
        _folders[:] = [str(place), *earlier]
    kept = [other for other in sys.path if other not in _folders]
    sys.path[:] = kept + _folders


def _forget_namesakes(place: Path, earlier: list[str]) -> None:
    """Forgets modules imported from earlier folders that have a namesake in the folder."""
    origins = {name: _top_level_origin(name) for name in sys.modules} if earlier else {}
    for name, origin in origins.items():
        if origin and str(origin.parent) in earlier and (place / origin.name).exists():
            del sys.modules[name]


def _top_level_origin(name: str) -> Path | None:
    """The file, or the folder of the package, that an imported module is a part of."""
    if name == "__main__" or name.startswith(MODULE_PREFIX):
        return None
    file = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
    if file is None:
        return None
    return Path(file).parent if Path(file).stem == "__init__" else Path(file)


def _line_in(error: BaseException, file: Path) -> str:
    """Where in the file an error came from, as in ", line 12"."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    traceback, line = error.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f", line {line}" if line else ""


def read_config(module: ModuleType) -> Any:
    """The ``config`` of a config file.

    Raises:
      UserError: the file defines none, or something else by that name, or a field of it holds
        something of another type than it is declared with.
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
