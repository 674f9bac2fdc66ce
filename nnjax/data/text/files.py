"""Text in files: one file, all files of a folder, or the Python standard library's sources."""

import hashlib
import sysconfig
from pathlib import Path

from nnjax.data.directory import is_hidden
from nnjax.errors import UserError

ELSEWHERE = frozenset({"site-packages", "dist-packages", "test", "tests", "__pycache__"})
"""Folders in the standard library's that hold packages of others, or tests (some in odd encodings,
and not installed everywhere)."""


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Reads a text file; all line ends become newlines, a byte-order mark is dropped.

    Raises:
      UserError: the file is missing, or not text in that encoding: names the first bad byte.
    """
    try:
        text = path.read_bytes().decode(encoding)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; give another with --data.path") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except LookupError:
        raise UserError(f"there is no encoding '{encoding}'; utf-8 and latin-1 are two") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(
            f"{path} is not text in {encoding}: the byte 0x{byte:02x} at offset {error.start} has "
            "no meaning there; give the file's encoding with --data.encoding, such as latin-1"
        ) from None
    if "\0" in text:
        raise UserError(f"{path} is not text: character {text.index(chr(0))} is a zero")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file, without white space at their ends; errors as in :func:`read_text`.

    Empty lines at the end of the file are dropped, others kept.
    """
    lines = [line.strip() for line in read_text(path, encoding).rstrip().split("\n")]
    return [] if lines == [""] else lines


def read_texts(path: Path, files: str, encoding: str = "utf-8") -> str:
    """Reads a file, or those of a folder and its subfolders in order of their names, as one text.

    Args:
      path: the file or folder.
      files: which files of a folder, as a pattern like ``*.txt``.
      encoding: of all files.

    Raises:
      UserError: there are none, or they hold no text; or as in :func:`read_text`.
    """
    paths = [path]
    if path.is_dir():
        try:
            paths = sorted(
                found
                for found in path.rglob(files)
                if found.is_file() and not any(map(is_hidden, found.relative_to(path).parts))
            )
        except (NotImplementedError, ValueError):
            raise UserError(
                f"'{files}' is no pattern of files in {path}; give one like *.txt with --data.files"
            ) from None
        if not paths:
            raise UserError(f"{path} holds no files {files}; give a pattern with --data.files")
    text = _join([read_text(one, encoding) for one in paths])
    if not text.strip():
        raise UserError(f"{path} holds no text")
    return text


def library_text() -> str:
    """The Python standard library's own source files as one text, about ten million characters.

    Raises:
      UserError: this Python has come without sources.
    """
    return _join(list(map(read_text, library_paths())))


def _join(texts: list[str]) -> str:
    """One text of several, none of which goes on in the last line of the one before."""
    ended = [text if text.endswith("\n") else f"{text}\n" for text in texts[:-1]]
    return "".join([*ended, texts[-1]])


def library_paths() -> list[Path]:
    """The Python standard library's own source files.

    They are in an order that a hash of their names gives, so that parts of the list differ no more
    than they must. Which there are depends on the version of Python.

    Raises:
      UserError: this Python has come without sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    paths = [
        path
        for path in root.rglob("*.py")
        if not ELSEWHERE.intersection(path.relative_to(root).parts)
    ]
    if not paths:
        raise UserError(f"{root} has no source files; give a text with --data.path")
    return sorted(paths, key=lambda path: _hash(path.relative_to(root).as_posix()))


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
