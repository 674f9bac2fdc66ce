"""SIGTERM and SIGINT: finish the stretch at hand, save, then go."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nnjax.errors import UserError


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


@contextmanager
def requests() -> Iterator[Request]:
    """Turns SIGTERM and SIGINT into a request for as long as the context lasts.

    A second signal acts as it did before: the first asks, the second insists. Outside the main
    thread, where Python allows no handlers, signals stay as they are.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        del frame
        request.signal_number = number
        restore()

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        restore()
