"""SIGTERM and SIGINT: finish the updates at hand, save, then go."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nnjax.errors import UserError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(UserError):
    """The run was asked to stop and has saved its state.

    Attributes:
      signal_number: the signal that asked.
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.signal_number = signal_number


class Request:
    """Whether a signal has come, and which."""

    signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None


_raised = Request()
"""The signal of an error that may have got lost, see :func:`raising`."""


@contextmanager
def requests() -> Iterator[Request]:
    """Turns SIGTERM and SIGINT into a request for as long as the context lasts.

    A second signal acts as it did before: the first asks, the second insists. Outside the main
    thread, where Python allows no handlers, signals stay as they are.
    """
    request = Request()
    request.signal_number = _raised.signal_number

    def handle(number: int, restore: Callable[[], None]) -> None:
        request.signal_number = number
        restore()

    with _handled(handle):
        yield request


@contextmanager
def raising(message: Callable[[], str]) -> Iterator[None]:
    """Turns SIGTERM and SIGINT into :class:`Interrupted` for as long as the context lasts.

    Of use around what cannot heed a request, such as compilation or the drawing of figures. Where
    the error gets lost, in a library that catches all or in a callback, as JAX has one for the
    garbage collector, :func:`requests` within the context takes the signal over, and the end of
    the context raises it again.

    Args:
      message: gives what the error says.
    """

    def handle(number: int, restore: Callable[[], None]) -> None:
        restore()
        _raised.signal_number = number
        raise Interrupted(message(), number)

    def hook(lost: Any) -> None:
        if not isinstance(lost.exc_value, Interrupted):
            report(lost)

    report, sys.unraisablehook = sys.unraisablehook, hook
    _raised.signal_number = None
    try:
        with _handled(handle):
            yield
        if _raised.signal_number is not None:
            raise Interrupted(message(), _raised.signal_number)
    finally:
        _raised.signal_number = None
        sys.unraisablehook = report


@contextmanager
def _handled(handle: Callable[[int, Callable[[], None]], None]) -> Iterator[None]:
    """Gives signals to ``handle``, with a function that puts the handlers of before back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, lambda number, frame: handle(number, restore))
    try:
        yield
    finally:
        restore()
