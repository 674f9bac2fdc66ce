"""Folders of data: where downloaded data is kept, and which files of a folder count."""

import os
from collections.abc import Iterator
from pathlib import Path

from nnjax.errors import UserError

VARIABLE = "NNJAX_DATA_DIR"

CLUTTER = frozenset(
    {"$RECYCLE.BIN", "@eaDir", "System Volume Information", "Thumbs.db", "__MACOSX", "__pycache__",
     "desktop.ini", "lost+found"}
)  # fmt: skip
"""Names that operating systems and programs, not people, give to files and folders."""


def data_directory(given: Path | None = None) -> Path:
    """The folder of downloaded data: ``given``, else $NNJAX_DATA_DIR, else ~/.cache/nnjax.

    Raises:
      UserError: as in :func:`given_path`.
    """
    named = given or os.environ.get(VARIABLE)
    return given_path(named) if named else Path.home() / ".cache" / "nnjax"


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is out of sight: hidden, a backup copy, or clutter.

    Hidden names begin with a dot, as ``.ipynb_checkpoints`` and ``._photo.jpg``; backup copies of
    editors end with ``~``.
    """
    return name.startswith(".") or name.endswith("~") or name in CLUTTER


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder that are not hidden, sorted by name.

    Raises:
      UserError: the folder cannot be read.
    """
    _, names, _ = next(_walk(folder))
    return [folder / name for name in sorted(names)]


def visible_files(folder: Path) -> list[Path]:
    """The files in a folder and its subfolders, sorted, without what is hidden at any depth.

    Raises:
      UserError: the folder, or one in it, cannot be read.
    """
    return sorted(Path(place, name) for place, _, names in _walk(folder) for name in names)


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` without hidden names; ``os.walk`` itself passes over folders it may not read."""

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from None

    for place, folders, files in os.walk(folder, onerror=refuse):
        # os.walk goes into the folders that are left in the list.
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield place, folders, [name for name in files if not is_hidden(name)]


def given_path(path: Path | str) -> Path:
    """A path that a person gave, with ``~`` replaced by the home directory.

    Raises:
      UserError: no file system takes such a name, or the path may not be looked at.
    """
    path = Path(path)
    try:
        path = path.expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        # The reader of the file says what is missing and how to name another.
        pass
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}..."
        raise UserError(f"the path {shown!r} cannot be read: {why}") from None
    return path
