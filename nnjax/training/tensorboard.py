"""The metrics of a run as TensorBoard events, written by a thread of its own."""

import contextlib
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnjax.escapes import printable
from nnjax.metrics import NOT_METRICS

SECONDS_BETWEEN_EVENTS = 0.1
"""Of the records of a split within this time, only the newest is written."""


class TensorBoard:
    """Writes the metrics of each split, "validation/accuracy" and the like, against the step.

    A thread imports tensorboardX at the first record, and writes, so that training never waits.
    ``metrics.jsonl`` is the full record: if the events cannot be written, for example because the
    disk is full, a warning is issued and the run continues.

    Args:
      directory: for the event files.
      after_step: the step that a run resumes from, 0 for a new one. TensorBoard hides events of
        later steps that an earlier execution wrote.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.training.tensorboard import TensorBoard
      >>> board = TensorBoard(Path("tensorboard"))
      >>> board.write({"step": 10, "epoch": 1.0, "split": "train", "loss": 0.25})
      >>> board.close()
      >>> len(list(Path("tensorboard").iterdir()))
      1
    """

    def __init__(self, directory: Path, after_step: int = 0):
        self._directory = directory
        self._after_step = after_step
        self._records: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._waiting: dict[str, Mapping[str, Any]] = {}
        self._sent_at: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def write(self, record: Mapping[str, Any]) -> None:
        """Writes a record as ``Run.append_metrics`` takes it: ``step``, ``split`` and metrics."""
        split, now = record["split"], time.perf_counter()
        if now - self._sent_at.get(split, float("-inf")) < SECONDS_BETWEEN_EVENTS:
            self._waiting[split] = record
            return
        self._waiting.pop(split, None)
        self._sent_at[split] = now
        self._send(record)

    def close(self) -> None:
        """Writes the records that wait and closes the file; does nothing if there was no record."""
        for record in self._waiting.values():
            self._send(record)
        self._waiting.clear()
        if self._thread:
            self._records.put(None)
            self._thread.join()
            self._thread = None

    def _send(self, record: Mapping[str, Any]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tensorboard", daemon=True)
            self._thread.start()
        self._records.put(record)

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception as error:
            # Not only OSError: tensorboardX may, for example, not go with the protobuf installed.
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            where = f"{self._directory}: {reason}"
            warnings.warn(f"TensorBoard events are incomplete: cannot write {where}", stacklevel=1)

    def _write_all(self) -> None:
        with _without_torch():
            from tensorboardX import SummaryWriter
            from tensorboardX.proto import summary_pb2
        # Its classes are made at run time.
        messages: Any = summary_pb2
        # The file name holds the process and the step: two executions may start within a second,
        # which is the resolution of the rest of the name.
        writer = SummaryWriter(
            str(self._directory),
            purge_step=self._after_step + 1 if self._after_step else None,
            filename_suffix=f".{os.getpid()}-{self._after_step}",
        )
        while (record := self._records.get()) is not None:
            # Not `add_scalar`: it replaces letters of the tag, so that two metrics may become one.
            values = [
                messages.Summary.Value(
                    tag=printable(f"{record['split']}/{metric}"), simple_value=float(record[metric])
                )
                for metric in sorted(record.keys() - set(NOT_METRICS))
            ]
            assert writer.file_writer is not None
            writer.file_writer.add_summary(messages.Summary(value=values), record["step"])
            if self._records.empty():
                writer.flush()
        writer.close()


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """Hides PyTorch: tensorboardX imports it where it is installed, which takes seconds."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torch"]
