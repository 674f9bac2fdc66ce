"""Records, one a line: ``metrics.jsonl`` and ``timings.jsonl``."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nnjax.errors import UserError
from nnjax.runs import json_files


class JsonLines:
    """A file of JSON records, one a line; the first record makes the file.

    Attributes:
      path: of the file.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs.json_lines import JsonLines
      >>> records = JsonLines(Path(tempfile.mkdtemp()) / "metrics.jsonl")
      >>> records.append({"step": 1, "loss": 0.5})
      >>> records.read()
      [{'step': 1, 'loss': 0.5}]
      >>> records.close()
    """

    def __init__(self, path: Path, check: Callable[[dict[str, Any]], None] = lambda record: None):
        """Opens nothing yet.

        Args:
          path: of the file.
          check: called with each record that is read; raises a ValueError where one is wrong.
        """
        self.path = path
        self._check = check
        self._file: io.FileIO | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Appends a record.

        The operating system has the record when this returns: a killed process loses nothing.

        Raises:
          UserError: the disk is full or read-only, or the file is a symbolic link; a part of the
            line may have been written.
        """
        text = json_files.to_line(record)
        line = memoryview(text.encode() + b"\n")
        with json_files.disk_errors(self.path):
            if self._file is None:
                self._file = self._open()
            while line:
                line = line[self._file.write(line) :]

    def _open(self) -> io.FileIO:
        """Opens the file; adds the end of a line that a killed process left unfinished."""
        if self.path.is_symlink():
            raise UserError(
                f"{self.path} is a symbolic link to {os.readlink(self.path)}; records are not "
                "written through a link, so put the file itself there"
            )
        last = json_files.read_bytes(self.path)[-1:] if self.path.exists() else b"\n"
        # Unbuffered: a write takes microseconds, and a buffer would be lost with the process.
        file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        if last not in (b"", b"\n"):
            file.write(b"\n")
        return file

    def read(self) -> list[dict[str, Any]]:
        """Returns every whole record, in order, without lines that a kill or a full disk cut off.

        Raises:
          UserError: the file cannot be read, or a whole record is wrong.
        """
        return [record for _, record in self._lines()]

    def keep(self, is_wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Rewrites the file with the whole records that are wanted, their bytes unchanged.

        Raises:
          UserError: the disk is full or read-only, or a record is wrong; the file is as it was.
        """
        self.close()
        kept = b"".join(line for line, record in self._lines() if is_wanted(record))
        if self.path.exists() and kept != json_files.read_bytes(self.path):
            json_files.replace(self.path, kept)

    def close(self) -> None:
        """Closes the file; the next record opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each whole record, with its line as it stands in the file."""
        content = json_files.read_bytes(self.path) if self.path.exists() else b""
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                record = json_files.parse(line)
            except ValueError:
                continue
            if not isinstance(record, dict):
                continue
            record = json_files.restore_floats(record)
            try:
                self._check(record)
            except ValueError as error:
                raise UserError(
                    f"{self.path} is damaged in line {number}: {error}; remove that line"
                ) from error
            yield line + b"\n", record
