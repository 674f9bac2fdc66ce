"""The ``nnjax`` command: finds a subcommand, runs it, and prints errors as one sentence.

This module imports nothing heavy, so that ``nnjax --help`` answers at once.
"""

import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from nnjax import __version__
from nnjax.errors import UserError, choose, warn

TRACEBACK = "NNJAX_TRACEBACK"
"""Environment variable: if it is set, errors are printed with their traceback."""

COMMANDS = {
    "list": "the experiments that can be trained by name",
    "summary": "layers, shapes, parameters and FLOPs of an experiment's model",
    "train": "train an experiment, by name or from a file of your own",
    "sweep": "train an experiment for many values of its fields",
    "sweep-report": "ranked table, CSV, figures and the winner of a sweep",
    "resume": "go on with a run or a sweep that was stopped",
    "evaluate": "measure a trained run on every split",
    "generate": "write text with a trained language model",
    "translate": "translate standard input with a trained encoder-decoder",
    "classify": "classify the texts on standard input",
    "compare": "metrics and learning curves of several runs side by side",
    "export": "write a trained model as safetensors and StableHLO",
    "data": "fetch MNIST, or import a set of your own",
}

HELP = f"""nnjax {__version__}: neural-network experiments on JAX

usage: nnjax COMMAND [ARGUMENTS]

{chr(10).join(f"  {name:<12} {text}" for name, text in COMMANDS.items())}

nnjax COMMAND --help explains a command; nnjax train NAME --help lists every option of an
experiment. Start with: nnjax train cnn2 --epochs 3
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
      arguments: the words after the program's name; None takes those of the command line.

    Returns:
      The exit status: 0, 1 for an error, 2 for wrong usage, 128 + n when stopped by signal n.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    return guarded(lambda: run(command, rest), ends_process=arguments is None)


def run(command: str, arguments: list[str]) -> int:
    """Runs a subcommand with its arguments and returns the exit status."""
    if command in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if command == "--version":
        print(__version__)
        return 0
    choose("command", command, COMMANDS)
    module = f"nnjax.cli.commands.{command.replace('-', '_')}"
    return importlib.import_module(module).run(arguments)


def guarded(action: Callable[[], int], *, ends_process: bool = True) -> int:
    """Calls ``action`` and returns its exit status; a UserError is printed in one line.

    Args:
      action: returns the exit status.
      ends_process: whether the process ends with this call. Then SIGHUP and SIGUSR1 are ignored
        once a signal has stopped the action: a closing terminal and SLURM send them more than once,
        and a second one would change the exit status.
    """
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _report_unraisable
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _report_uncaught
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal lacks must not end the command.
            stream.reconfigure(errors="replace")
    with _ctrl_c.handled():
        return _guarded(action, ends_process)


def _guarded(action: Callable[[], int], ends_process: bool) -> int:
    try:
        status = action()
        if sys.stdout is not None:  # The shell may have closed it.
            sys.stdout.flush()
        return status
    except UserError as error:
        number = getattr(error, "signal_number", None)
        if number is not None and ends_process:
            for repeated in (signal.SIGHUP, signal.SIGUSR1):
                signal.signal(repeated, signal.SIG_IGN)
        _print_error(str(error))
        return 1 if number is None else 128 + number
    except KeyboardInterrupt:
        return _ctrl_c.report()
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has ended. Python would report this again at exit.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        _print_error(f"there is not enough memory ({error}); ask for less at once")
        return 1
    except OSError as error:
        what = error.strerror or str(error)
        _print_error(f"{what}: {error.filename}" if error.filename else what)
        return 1
    except Exception:
        # A compiled module that is interrupted while it is imported raises an ImportError.
        if _ctrl_c.came:
            return _ctrl_c.report()
        raise


class _CtrlC:
    """Ends the process at Ctrl-C with one sentence, also while a library is imported.

    The first Ctrl-C raises KeyboardInterrupt. A second one ends the process at once: Python would
    print a traceback, because the first is still being handled.
    """

    def __init__(self):
        self.came = False
        self._is_reported = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handles SIGINT for as long as the context lasts; after a Ctrl-C, to the process's end."""
        before = signal.getsignal(signal.SIGINT)
        in_main_thread = threading.current_thread() is threading.main_thread()
        if before is not signal.default_int_handler or not in_main_thread:
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            if not self.came:
                signal.signal(signal.SIGINT, before)

    def report(self) -> int:
        """Prints the sentence and returns the exit status, or ends the process with it."""
        if not self._is_reported:
            self._is_reported = True
            _print_error("stopped")
        if self.came:
            self.end_now()
        return 130

    def end_now(self) -> NoReturn:
        """Ends the process without waiting for threads or libraries, which might print more."""
        if not self._is_reported:
            os.write(2, b"nnjax: stopped\n")
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        os._exit(130)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            self.end_now()
        self.came = True
        raise KeyboardInterrupt


_ctrl_c = _CtrlC()


def _report_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Prints an error that nobody caught, as Python does, but for a KeyboardInterrupt.

    NumPy's compiled part prints what is raised while it is imported.
    """
    if issubclass(kind, KeyboardInterrupt):
        _ctrl_c.end_now()
    sys.__excepthook__(kind, error, trace)


def _report_unraisable(unraisable: Any) -> None:
    """Prints an error that has nowhere to go, as Python does, with two exceptions.

    When a save fails, because the disk is full, threads of TensorStore still report to an event
    loop that Orbax has closed. The failure itself is reported already. And a KeyboardInterrupt that
    came in a callback of the garbage collector would be lost.
    """
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _ctrl_c.end_now()
    if "Event loop is closed" not in str(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)


def _print_error(sentence: str) -> None:
    """Prints a sentence about the error being handled to stderr."""
    if os.environ.get(TRACEBACK):
        traceback.print_exc()
    warn(sentence)


def script_main() -> int:
    """Trains by the script of ``python -m experiments.SCRIPT CONFIG [OPTIONS]``."""
    from nnjax.cli.commands import train

    script = sys.modules["__main__"]
    return guarded(lambda: train.run(sys.argv[1:], script))
