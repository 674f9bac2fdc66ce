"""Checksums of a checkpoint: a changed byte is found before Orbax reads the file.

Orbax itself notices a missing file, but not a changed byte; and when it reads a damaged file, it
leaves failed tasks behind that print messages later.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "checksums.json"


class Damaged(Exception):
    """A checkpoint is not what was saved."""


def write(directory: Path) -> None:
    """Writes ``checksums.json``: a CRC-32 of each file, by the file's path in the directory."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    found = {str(path.relative_to(directory)): _checksum(path) for path in files}
    (directory / FILE).write_text(json.dumps(found))


def check(directory: Path) -> None:
    """Compares each file with its checksum.

    Raises:
      Damaged: a file differs, or the checksums do.
      OSError: a file is missing or may not be read.
    """
    saved = json.loads((directory / FILE).read_bytes())
    if not isinstance(saved, dict):
        raise Damaged("its checksums are damaged")
    for name, checksum in saved.items():
        if _checksum(directory / name) != checksum:
            raise Damaged(f"{name} has another checksum")


def _checksum(path: Path) -> int:
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return crc


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record as its JSON text and the checksum of that text."""
    text = json.dumps(record)
    return {"text": text, "crc32": zlib.crc32(text.encode())}


def unseal(sealed: Any) -> dict[str, Any]:
    """Returns the record that :func:`seal` sealed.

    Raises:
      Damaged: the text is not the text that was sealed.
    """
    try:
        text = sealed["text"]
        is_whole = zlib.crc32(text.encode()) == sealed["crc32"]
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
        raise Damaged("its record is garbled") from error
    if not is_whole:
        raise Damaged("its record has another checksum")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("its record is garbled") from error
    if not isinstance(record, dict):
        raise Damaged("its record is garbled")
    return record
