"""``nnjax``: finds the command and runs it; errors that people can cause end in one sentence.

Nothing heavy is imported here: ``nnjax --help`` must answer at once.
"""

import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from nnjax import __version__
from nnjax.errors import UserError, choose

TRACEBACK = "NNJAX_TRACEBACK"
"""Environment variable: where it is set, errors show where they came from."""

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
      arguments: as on the command line, without the program's name; None takes them from there.

    Returns:
      The exit status: 0, 1 for an error, 2 for wrong usage, 128 + n when stopped by signal n.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    return guarded(lambda: run(command, rest))


def run(command: str, arguments: list[str]) -> int:
    """Runs ``command`` with its arguments."""
    if command in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if command == "--version":
        print(__version__)
        return 0
    choose("command", command, COMMANDS)
    module = f"nnjax.cli.commands.{command.replace('-', '_')}"
    return importlib.import_module(module).run(arguments)


def guarded(action: Callable[[], int]) -> int:
    """Calls ``action`` and returns its exit status; a user's error is one line on stderr."""
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _leave_out_closed_loops
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Of a text in letters that the terminal does not have, the rest is still of use.
            stream.reconfigure(errors="replace")
    try:
        status = action()
        if sys.stdout is not None:  # As it is where the shell has closed it.
            sys.stdout.flush()
        return status
    except UserError as error:
        _complain(str(error))
        number = getattr(error, "signal_number", None)
        return 1 if number is None else 128 + number
    except KeyboardInterrupt:
        _complain("stopped")
        return 130
    except BrokenPipeError:
        # The reader of a pipe, `head` say, has gone; Python would complain once more at exit.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        _complain(f"there is not enough memory ({error}); ask for less at once")
        return 1
    except OSError as error:
        what = error.strerror or str(error)
        _complain(f"{what}: {error.filename}" if error.filename else what)
        return 1


def _leave_out_closed_loops(unraisable: Any) -> None:
    """Prints an error that has nowhere to go, as Python does, but for one.

    When a save fails, the disk being full, threads of TensorStore still report to an event loop
    that Orbax has closed. The failure itself is told already.
    """
    if "Event loop is closed" not in str(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)


def _complain(sentence: str) -> None:
    """Writes the sentence of the error being handled to stderr."""
    if os.environ.get(TRACEBACK):
        traceback.print_exc()
    print(f"nnjax: {sentence}", file=sys.stderr)


def script_main() -> int:
    """``python -m experiments.SCRIPT CONFIG [OPTIONS]``: trains by that script."""
    from nnjax.cli.commands import train

    script = sys.modules["__main__"]
    return guarded(lambda: train.run(sys.argv[1:], script))
