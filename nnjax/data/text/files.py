"""Text in files: one file, all files of a folder, or the Python standard library's sources."""

import hashlib
import sysconfig
from pathlib import Path

from nnjax.data.directory import is_hidden
from nnjax.errors import UserError

FOREIGN_FOLDERS = frozenset({"site-packages", "dist-packages", "test", "tests", "__pycache__"})
"""Folders of the standard library that hold packages of other authors, or tests: some tests are in
odd encodings, and some installations lack them."""

ENCODING_ADVICE = "give the file's encoding with --data.encoding, such as latin-1"


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file; all line ends become newlines, and a byte-order mark is dropped.

    Raises:
      UserError: there is no such file, it is no regular file, there is no such encoding, or the
        file is not text in that encoding: the message names the first bad byte.
    """
    content = _read(path)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(
            f"{path} is not text in {encoding}: the byte 0x{byte:02x} at offset {error.start} has "
            f"no meaning there; {ENCODING_ADVICE}"
        ) from None
    # An unknown encoding, "undefined", or a name that holds the character zero.
    except (LookupError, ValueError):
        raise UserError(
            f"there is no encoding {encoding!r} of text files; utf-8 and latin-1 are two"
        ) from None
    if "\0" in text:
        raise UserError(f"{path} is not text: character {text.index(chr(0))} is a zero")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _read(path: Path) -> bytes:
    """The bytes of a regular file."""
    try:
        # Reading a named pipe would wait for a writer, without end.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UserError(f"{path} is a pipe or a device, not a file; copy its text into a file")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; give another with --data.path") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UserError(
            f"a path cannot hold the character zero, as {str(path)!r} does; give another with "
            "--data.path"
        ) from None


def is_folder(path: Path) -> bool:
    """Whether a path is that of a folder; a path that cannot be is not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file, without white space at their ends; errors as in :func:`read_text`.

    Empty lines at the end of the file are dropped, others kept.
    """
    lines = [line.strip() for line in read_text(path, encoding).rstrip().split("\n")]
    return [] if lines == [""] else lines


def read_texts(path: Path, files: str, encoding: str = "utf-8") -> str:
    """A file, or the files of a folder and its subfolders in the order of their names, as one text.

    Args:
      path: the file or folder.
      files: which files of a folder, as a pattern like ``*.txt``.
      encoding: of all files.

    Raises:
      UserError: there are no files, or they hold no text; or as in :func:`read_text`.
    """
    paths = [path]
    if is_folder(path):
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
      UserError: this Python is installed without its sources.
    """
    return _join(list(map(read_text, library_paths())))


def _join(texts: list[str]) -> str:
    """One text of several, each of which begins on a line of its own."""
    ended = [text if text.endswith("\n") else f"{text}\n" for text in texts[:-1]]
    return "".join([*ended, texts[-1]])


def library_paths() -> list[Path]:
    """The Python standard library's own source files, in the order of a hash of their names.

    The versions of Python differ in some files. In the order of a hash, a file more or less moves
    few of the others from one part of the list, such as the test part, into another.

    Raises:
      UserError: this Python is installed without its sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    paths = [
        path
        for path in root.rglob("*.py")
        if path.is_file() and not FOREIGN_FOLDERS.intersection(path.relative_to(root).parts)
    ]
    if not paths:
        raise UserError(f"{root} has no source files; give a text with --data.path")
    return sorted(paths, key=lambda path: _hash(path.relative_to(root).as_posix()))


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
