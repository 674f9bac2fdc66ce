"""The directory of a new run: whether a run can be made there, and why not."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnjax.errors import UserError
from nnjax.runs import checkpoints, json_files, lock

CONFIG = "config.json"
CONFIG_FILE = "config.py"
DATA = "data.json"
ENVIRONMENT = "environment.json"
SUMMARY = "summary.json"
FOLDERS = ("checkpoints", "figures", "tensorboard")


def check(directory: Path, config: dict[str, Any], config_file: Path | None) -> None:
    """Checks that a new run can be made in a directory.

    Args:
      directory: missing, empty, or left by a process that was killed while it made a run.
      config: of the new run, as in ``config.json``.
      config_file: the user's own file that the config came from.

    Raises:
      UserError: the directory holds a run or other files, or checkpoints cannot be saved there.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import new_directory
      >>> new_directory.check(Path("runs/not-there-yet"), {"class": "mine"}, None)
    """
    checkpoints.check_name(directory)
    if directory.exists() and not directory.is_dir():
        raise UserError(f"the run directory {directory} is a file; choose another --run-dir")
    if not (directory / CONFIG).is_file():
        if is_skeleton(directory):
            return
        raise UserError(
            f"{directory} is not empty and holds no run; choose another --run-dir or empty it"
        )
    lock.check_free(directory)
    different = list(differences(json_files.read(directory / CONFIG), config))
    if different:
        shown = ", ".join(different[:3]) + (
            f" and {len(different) - 3} more" * (len(different) > 3)
        )
        raise UserError(
            f"{directory} holds a run of another config ({shown}); choose another --run-dir"
        )
    resume = resume_command(directory)
    if not _is_copy(directory / CONFIG_FILE, config_file):
        raise UserError(
            f"{directory} holds a run of {config_file} as it was before, which `{resume}` goes on "
            f"with; copy the file over {directory / CONFIG_FILE} first, or choose another --run-dir"
        )
    raise UserError(
        f"{directory} holds a run of this config already; go on with it by `{resume}`, or choose "
        "another --run-dir"
    )


def _is_copy(copy: Path, config_file: Path | None) -> bool:
    """Whether the user's file is unchanged since the run copied it; True where one is missing."""
    if config_file is None or not copy.is_file():
        return True
    return json_files.read_bytes(copy) == json_files.read_bytes(config_file)


def is_skeleton(directory: Path, besides: tuple[str, ...] = ()) -> bool:
    """Whether a directory is missing, empty, or holds only what a killed ``Run.create`` leaves.

    Args:
      directory: the directory.
      besides: names of more files that it may hold.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import new_directory
      >>> new_directory.is_skeleton(Path(tempfile.mkdtemp()))
      True
    """
    inside = list(directory.iterdir()) if directory.is_dir() else []
    written = (ENVIRONMENT, SUMMARY, CONFIG_FILE, DATA)
    # A file is written under a hidden name first.
    hidden = tuple(f".{name}." for name in (*written, CONFIG))
    return all(
        path.name in (*written, lock.FILE, *besides)
        or path.name.startswith(hidden)
        or (path.name in FOLDERS and path.is_dir() and not any(path.iterdir()))
        for path in inside
    )


def differences(
    old: Any, new: Any, path: str = "", places: tuple[str, str] = ("there", "here")
) -> Iterator[str]:
    """Yields the fields in which two saved configs differ, as in "steps: 3 there, 4 here".

    Example:
      >>> from nnjax.runs import new_directory
      >>> old, new = {"training": {"steps": 3}}, {"training": {"steps": 4}}
      >>> list(new_directory.differences(old, new))
      ['training.steps: 3 there, 4 here']
    """
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{path}: {json.dumps(old)} {places[0]}, {json.dumps(new)} {places[1]}"
        return
    for name in sorted(old.keys() | new.keys()):
        inner = f"{path}.{name}" if path else name
        yield from differences(old.get(name), new.get(name), inner, places)


def resume_command(directory: Path) -> str:
    """Returns the command that goes on with a run, quoted for the shell.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs.new_directory import resume_command
      >>> resume_command(Path("runs/lr [0.1]"))
      "nnjax resume 'runs/lr [0.1]'"
    """
    text = str(directory)
    return f"nnjax resume {shlex.quote('./' + text if text.startswith('-') else text)}"
