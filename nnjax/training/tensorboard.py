"""Records of a run as TensorBoard events, written behind the run's back."""

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

from nnjax.metrics import NOT_METRICS

SECONDS_BETWEEN_EVENTS = 0.1
"""Of a split measured more often than this, only the newest record in that time is written."""


class TensorBoard:
    """Writes the metrics of each split, "validation/accuracy" and the like, against the step.

    A thread of its own imports tensorboardX, at the first record, and writes: training never waits
    for it. ``metrics.jsonl`` remains the full record; a disk that is full or read-only costs the
    events, with a warning, and not the run.

    Args:
      directory: for the event files.
      after_step: the step that a run resumes from, 0 for a new one; TensorBoard then hides what an
        earlier execution wrote of later steps.
    """

    def __init__(self, directory: Path, after_step: int = 0):
        self._directory = directory
        self._after_step = after_step
        self._records: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._waiting: dict[str, Mapping[str, Any]] = {}
        self._sent_at: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def write(self, record: Mapping[str, Any]) -> None:
        """Takes a record as ``Run.append_metrics`` does: ``step``, ``split`` and metrics."""
        split, now = record["split"], time.perf_counter()
        if now - self._sent_at.get(split, float("-inf")) < SECONDS_BETWEEN_EVENTS:
            self._waiting[split] = record
            return
        self._waiting.pop(split, None)
        self._sent_at[split] = now
        self._send(record)

    def close(self) -> None:
        """Writes what is left and closes the file; does nothing where nothing was written."""
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
        except OSError as error:
            where = f"{self._directory}: {error.strerror}"
            warnings.warn(f"TensorBoard events are incomplete: cannot write {where}", stacklevel=1)

    def _write_all(self) -> None:
        with _without_torch():
            from tensorboardX import SummaryWriter
        # The process in the name: a file of the same second must not be written over.
        writer = SummaryWriter(
            str(self._directory),
            purge_step=self._after_step + 1 if self._after_step else None,
            filename_suffix=f".{os.getpid()}-{self._after_step}",
        )
        while (record := self._records.get()) is not None:
            for metric in record.keys() - set(NOT_METRICS):
                tag = f"{record['split']}/{metric}"
                writer.add_scalar(tag, float(record[metric]), record["step"])
            if self._records.empty():
                writer.flush()
        writer.close()


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """Hides PyTorch: where it is installed, tensorboardX imports it, which takes seconds."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torch"]
