"""Records, one a line: ``metrics.jsonl`` and ``timings.jsonl``."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nnjax.runs import json_files


class JsonLines:
    """A file of JSON records, one a line; it is made by the first.

    Attributes:
      path: of the file.
    """

    def __init__(self, path: Path):
        """Opens nothing yet."""
        self.path = path
        self._file: io.FileIO | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Appends a record.

        It is with the operating system when this returns: a killed process loses nothing.

        Raises:
          UserError: the disk is full or read-only; a part of the line may have been written.
        """
        text = json.dumps(json_files.plain(record), allow_nan=False)
        line = memoryview(text.encode() + b"\n")
        with json_files.disk_errors(self.path):
            if self._file is None:
                self._file = self._open()
            while line:
                line = line[self._file.write(line) :]

    def _open(self) -> io.FileIO:
        """The file, ending with a whole line."""
        # Unbuffered: a write is microseconds, and a buffer would die with the process.
        file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        if file.tell() and not self.path.read_bytes().endswith(b"\n"):
            file.write(b"\n")
        return file

    def read(self) -> list[dict[str, Any]]:
        """Every whole record, in order; what a killed process or a full disk cut off is not one."""
        return [record for _, record in self._lines()]

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Rewrites the file with the whole records that are wanted, their bytes unchanged.

        Raises:
          UserError: the disk is full or read-only; the file is as it was.
        """
        self.close()
        kept = b"".join(line for line, record in self._lines() if wanted(record))
        if self.path.exists() and kept != self.path.read_bytes():
            json_files.replace(self.path, kept)

    def close(self) -> None:
        """Closes the file; the next record opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each whole record, with its line as it stands."""
        content = self.path.read_bytes() if self.path.exists() else b""
        for line in content.splitlines(keepends=True):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                continue
            if isinstance(record, dict):
                yield line, json_files.restore_floats(record)
