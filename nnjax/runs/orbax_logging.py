"""Keeps Orbax and TensorStore from printing beside the sentence in which a save is refused.

Arrays are written side by side. When one fails Orbax reports it, gives up its event loop, and
leaves the others to fail on their own: asyncio then logs that nobody asked how they ended, and
TensorStore's threads, which find the loop closed, print tracebacks.
"""

import functools
import logging
import sys
from pathlib import Path
from typing import Any


@functools.cache
def silence() -> None:
    """Drops those messages, and what Orbax logs of its progress, from now on."""
    logging.getLogger("absl").addFilter(_is_not_from_orbax)
    logging.getLogger("asyncio").addFilter(_is_not_of_a_failed_write)
    hook = sys.unraisablehook

    def hook_but_for_writes(unraisable: Any) -> None:
        if not _is_of_an_abandoned_write(unraisable):
            hook(unraisable)

    sys.unraisablehook = hook_but_for_writes


def _is_not_from_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in Path(record.pathname).parts


def _is_not_of_a_failed_write(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "never retrieved" not in message or "orbax-checkpoint" not in message


def _is_of_an_abandoned_write(unraisable: Any) -> bool:
    """Whether a thread without Python code of its own could not reach an event loop."""
    error, trace = unraisable.exc_value, unraisable.exc_traceback
    return (
        isinstance(error, RuntimeError)
        and str(error) == "Event loop is closed"
        and unraisable.object is None
        and trace is not None
        and trace.tb_frame.f_code.co_name == "call_soon_threadsafe"
    )
