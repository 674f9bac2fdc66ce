"""Silences what Orbax and TensorStore print when a save fails, beside the error that is raised.

Arrays are written concurrently. When one write fails, Orbax raises its error and closes the event
loop, and the other writes fail by themselves: asyncio then logs exceptions that were never
retrieved, and threads of TensorStore, whose event loop is closed, print tracebacks.
"""

import functools
import logging
import sys
from pathlib import Path
from typing import Any


@functools.cache
def silence() -> None:
    """Drops those messages, and Orbax's log of its progress, from now on.

    Example:
      >>> from nnjax.runs import orbax_logging
      >>> orbax_logging.silence()
    """
    logging.getLogger("absl").addFilter(_is_not_from_orbax)
    logging.getLogger("asyncio").addFilter(_is_not_of_a_failed_write)
    hook = sys.unraisablehook

    def hook_except_for_writes(unraisable: Any) -> None:
        if not _is_of_an_abandoned_write(unraisable):
            hook(unraisable)

    sys.unraisablehook = hook_except_for_writes


def _is_not_from_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in Path(record.pathname).parts


def _is_not_of_a_failed_write(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "never retrieved" not in message or "orbax-checkpoint" not in message


def _is_of_an_abandoned_write(unraisable: Any) -> bool:
    """Whether a thread of TensorStore called an event loop that is closed."""
    error, trace = unraisable.exc_value, unraisable.exc_traceback
    return (
        isinstance(error, RuntimeError)
        and str(error) == "Event loop is closed"
        and unraisable.object is None
        and trace is not None
        and trace.tb_frame.f_code.co_name == "call_soon_threadsafe"
    )
