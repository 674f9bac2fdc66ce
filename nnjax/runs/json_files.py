"""JSON files: written whole or not at all, numbers exact, read without trust.

Numbers are written as Python's ``repr``, which reads back exactly. JSON has no NaN or infinity:
they are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.

A file is read only where it is a regular file of bounded size, because reading a named pipe would
wait forever and reading a device might never end.
"""

import contextlib
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnjax.errors import UserError

LARGEST = 1 << 30
"""Bytes of a file that is read, at most."""

DEEPEST = 100
"""Levels of lists and objects within each other, at most."""


def write(path: Path, data: Any) -> None:
    """Writes a JSON file.

    Args:
      path: the file; an earlier one is replaced when everything is written.
      data: dictionaries, lists and numbers, also of NumPy and JAX.

    Raises:
      UserError: the disk is full or read-only.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> file = Path(tempfile.mkdtemp()) / "summary.json"
      >>> json_files.write(file, {"loss": float("nan")})
      >>> json_files.read(file)
      {'loss': 'NaN'}
    """
    replace(path, json.dumps(plain(data), indent=2, allow_nan=False).encode() + b"\n")


def to_line(data: Any) -> str:
    """Returns data as JSON text without a line break.

    Example:
      >>> from nnjax.runs import json_files
      >>> json_files.to_line({"loss": float("inf")})
      '{"loss": "Infinity"}'
    """
    return json.dumps(plain(data), allow_nan=False)


def read(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object; numbers that are not finite stay strings.

    Raises:
      UserError: the file is missing or damaged.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> file = Path(tempfile.mkdtemp()) / "summary.json"
      >>> _ = file.write_text('{"steps": 5}')
      >>> json_files.read(file)
      {'steps': 5}
    """
    try:
        data = parse(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object")
    return data


def read_or_nothing(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object; an empty one where it is missing or damaged.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> json_files.read_or_nothing(Path("nowhere.json"))
      {}
    """
    try:
        return read(path)
    except UserError:
        return {}


def read_bytes(path: Path) -> bytes:
    """Reads a regular file.

    Raises:
      UserError: the file is missing, unreadable, larger than ``LARGEST``, or no regular file.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> file = Path(tempfile.mkdtemp()) / "notes.txt"
      >>> _ = file.write_text("mine")
      >>> json_files.read_bytes(file)
      b'mine'
    """
    try:
        # Before it is opened: opening a device may already have an effect.
        _check_regular(path, os.stat(path))
        # Not blocking, in case a named pipe has just taken its place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            _check_regular(path, os.fstat(descriptor))
            return file.read()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # NUL in a path.
        raise UserError(f"cannot read {str(path)!r}: {error}") from error


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"cannot read {path}: Is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"cannot read {path}: it is a named pipe, socket or device, not a file")
    if status.st_size > LARGEST:
        raise UserError(
            f"cannot read {path}: it has {status.st_size:,} bytes, more than {LARGEST:,}"
        )


def parse(text: str | bytes) -> Any:
    """Returns what a JSON text says.

    Raises:
      ValueError: the text is not JSON, or is nested more deeply than ``DEEPEST`` levels.

    Example:
      >>> from nnjax.runs import json_files
      >>> json_files.parse('[1, {"a": null}]')
      [1, {'a': None}]
    """
    too_deep = f"nested more than {DEEPEST} levels deep"
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(too_deep) from None
    level = [data]
    for _ in range(DEEPEST):
        level = [item for value in level for item in _items(value)]
        if not level:
            return data
    raise ValueError(too_deep)


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def replace(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, also when the machine stops in between.

    A symbolic link of that name is replaced, not followed.

    Raises:
      UserError: the disk is full or read-only.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> file = Path(tempfile.mkdtemp()) / "notes.txt"
      >>> json_files.replace(file, b"mine")
      >>> file.read_text()
      'mine'
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with disk_errors(path):
        try:
            # Exclusive, so that no symbolic link is followed.
            with open(unfinished, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise


@contextmanager
def disk_errors(
    path: Path,
    remedy: str = "make room or choose another --run-dir (what was saved before is intact)",
) -> Iterator[None]:
    """Turns the error of a full or read-only disk into a UserError.

    Args:
      path: what is written.
      remedy: the end of the sentence.

    Raises:
      UserError: an OSError was raised within the context.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import json_files
      >>> with json_files.disk_errors(Path("nowhere"), "choose another"):
      ...     Path("nowhere/file").write_text("")
      Traceback (most recent call last):
      nnjax.errors.UserError: cannot write nowhere: No such file or directory; choose another
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; {remedy}") from error


def plain(value: Any) -> Any:
    """Returns numbers of NumPy and JAX as Python's, and numbers that are not finite as strings.

    Example:
      >>> import numpy as np
      >>> from nnjax.runs import json_files
      >>> json_files.plain({"loss": np.float32(0.5), "worst": float("inf")})
      {'loss': 0.5, 'worst': 'Infinity'}
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value) if isinstance(value, Path) else value


def restore_floats(value: Any) -> Any:
    """Undoes what :func:`plain` did to numbers that are not finite.

    Example:
      >>> from nnjax.runs import json_files
      >>> json_files.restore_floats({"worst": "-Infinity"})
      {'worst': -inf}
    """
    if isinstance(value, dict):
        return {key: restore_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore_floats(item) for item in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value
