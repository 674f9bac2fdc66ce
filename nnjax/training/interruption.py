"""Signals that ask a process to stop: it finishes the updates at hand, saves, and ends.

========  =============================================  ===========
signal    sent by                                        exit status
========  =============================================  ===========
SIGINT    Ctrl-C                                         130
SIGTERM   ``kill``, ``scancel``, a preempting scheduler  143
SIGHUP    a terminal or an SSH connection that closes    129
SIGUSR1   SLURM before the time limit, ``--signal=USR1`` 138
========  =============================================  ===========

All four save a checkpoint and stop. A job script tells from the exit status whether to put the job
back into the queue: a time limit (138) or a preemption (143) calls for it, Ctrl-C does not.

A second SIGINT or SIGTERM acts as it did before, so that it ends a process that does not stop in
time. SIGHUP and SIGUSR1 only ask, however often they come: a closing terminal sends SIGHUP several
times, and SLURM sends SIGUSR1 to every process of a job step.
"""

import errno
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nnjax.errors import UserError

INSISTING = (signal.SIGTERM, signal.SIGINT)
"""Signals of which a second one acts as it did before."""

ASKING = (signal.SIGHUP, signal.SIGUSR1)
"""Signals that ask to stop, however often they come."""


class Interrupted(UserError):
    """A signal asked the run to stop, and its state is saved.

    Attributes:
      signal_number: of the signal.

    Example:
      >>> from nnjax.training.interruption import Interrupted
      >>> Interrupted("stopped at step 5", 15).signal_number
      15
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.signal_number = signal_number


class Request:
    """Whether a signal has come; its number, or None.

    Example:
      >>> from nnjax.training.interruption import Request
      >>> bool(Request())
      False
    """

    signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None


_raised = Request()
"""The signal of an error that may have been lost, see :func:`raising`."""


@contextmanager
def requests() -> Iterator[Request]:
    """Turns signals into a request for as long as the context lasts.

    Outside the main thread, where Python allows no handlers, signals stay as they are.

    Example:
      >>> import os, signal
      >>> from nnjax.training.interruption import requests
      >>> with requests() as request:
      ...     os.kill(os.getpid(), signal.SIGUSR1)
      >>> request.signal_number == signal.SIGUSR1
      True
    """
    request = Request()
    request.signal_number = _raised.signal_number

    def handle(number: int) -> None:
        request.signal_number = request.signal_number or number

    with _handled(handle):
        yield request


@contextmanager
def raising(message: Callable[[], str]) -> Iterator[None]:
    """Turns signals into :class:`Interrupted` for as long as the context lasts.

    This is for code that cannot look at a request, such as compilation or the drawing of figures.
    The error may be lost in a library that catches every exception, or in a callback, such as that
    of JAX for the garbage collector. Then :func:`requests` within the context takes the signal
    over, and the end of the context raises the error again.

    Args:
      message: returns the message of the error.

    Example:
      >>> import os, signal
      >>> from nnjax.training.interruption import raising
      >>> with raising(lambda: "stopped"):
      ...     os.kill(os.getpid(), signal.SIGTERM)
      Traceback (most recent call last):
      nnjax.training.interruption.Interrupted: stopped
    """

    def handle(number: int) -> None:
        # The process is ending already: a second error would break off what saves the run.
        if number in ASKING and _raised.signal_number is not None:
            return
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
def _handled(handle: Callable[[int], None]) -> Iterator[None]:
    """Passes signals to ``handle``, the first of the insisting ones and every asking one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {n: signal.getsignal(n) for n in (*INSISTING, *ASKING)}
    # `nohup` starts a process that ignores SIGHUP, so that it outlives its terminal.
    if before[signal.SIGHUP] == signal.SIG_IGN:
        del before[signal.SIGHUP]

    def restore(*numbers: int) -> None:
        for number in numbers:
            signal.signal(number, before[number])

    def receive(number: int, frame: Any) -> None:
        del frame
        if number in INSISTING:
            restore(*INSISTING)
        if number == signal.SIGHUP:
            _silence_closed_terminal()
        handle(number)

    for number in before:
        signal.signal(number, receive)
    try:
        yield
    finally:
        restore(*before)


def _silence_closed_terminal() -> None:
    """Sends output to /dev/null where the terminal is gone, because writing to it would fail."""
    for descriptor in (1, 2):
        try:
            termios.tcgetattr(descriptor)
        except termios.error as error:
            # ENOTTY, of a file or a pipe, is no reason to drop the output.
            if error.args[0] == errno.EIO:
                with suppress(OSError):
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, descriptor)
                    os.close(nowhere)
