"""JSON files: written whole or not at all, numbers exact.

Numbers are written as Python's ``repr``, which reads back exactly. JSON has no NaN or infinity:
they are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnjax.errors import UserError


def write(path: Path, data: Any) -> None:
    """Writes a JSON file.

    Args:
      path: the file; what was there is replaced when all is written.
      data: dictionaries, lists and numbers, also of NumPy and JAX.

    Raises:
      UserError: the disk is full or read-only.
    """
    replace(path, json.dumps(plain(data), indent=2, allow_nan=False).encode() + b"\n")


def read(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object; numbers that are not finite stay strings.

    Raises:
      UserError: it is missing or damaged.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object")
    return data


def read_or_nothing(path: Path) -> dict[str, Any]:
    """What :func:`read` gives; nothing where the file, which one can do without, is of no use."""
    try:
        return read(path)
    except UserError:
        return {}


def replace(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, also when the machine stops in between.

    Raises:
      UserError: the disk is full or read-only.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(path):
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors(
    path: Path,
    remedy: str = "make room or choose another --run-dir (what was saved before is intact)",
) -> Iterator[None]:
    """Turns a full or read-only disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; {remedy}") from error


def plain(value: Any) -> Any:
    """Numbers of NumPy and JAX as Python's, and those that are not finite as strings."""
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
    """Undoes what :func:`plain` did to numbers that are not finite."""
    if isinstance(value, dict):
        return {key: restore_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore_floats(item) for item in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value
