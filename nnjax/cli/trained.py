"""What the commands that use a trained model share: opening it, without its data where possible."""

import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

from nnjax.cli.runs import open_run
from nnjax.errors import UserError, warn
from nnjax.learners.state import State


class Trained(NamedTuple):
    """A trained learner, and what the run knows of its data (a ``Spec``), or the data itself."""

    directory: Path
    learner: Any
    state: State
    data: Any
    experiment: Any

    @property
    def variables(self) -> dict[str, Any]:
        """What ``model.apply`` takes: the parameters, averaged ones where there are such."""
        from nnjax.export import evaluation_params

        return {"params": evaluation_params(self.learner, self.state)}


def open_trained(directory: Path, *, trust: bool = False) -> Trained:
    """Opens a run and reads its best, else its newest parameters.

    Args:
      directory: of the run.
      trust: as for :func:`nnjax.cli.runs.open_run`.

    Raises:
      UserError: there is no run, it has no checkpoint yet, or its files are damaged.
    """
    from nnjax.training.snapshot import read_trained

    opened = open_run(directory, trust=trust)
    # The data may be far away by now, and what its vocabulary was is all that is needed.
    data = opened.run.read_data() or opened.load_data()
    learner, state, _ = read_trained(opened.experiment, opened.run, data, warn)
    return Trained(opened.run.directory, learner, state, data, opened.experiment)


def read_lines() -> list[str]:
    """The lines of standard input.

    Raises:
      UserError: there are none, or they are not UTF-8.
    """
    if sys.stdin is None:
        raise UserError("there is no standard input; pipe text in, a line each")
    if sys.stdin.isatty():
        warn("reading standard input; end it with Ctrl-D")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # whatever the locale
    try:
        text = sys.stdin.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(
            f"standard input is not UTF-8: byte {error.object[error.start]:#04x} at offset "
            f"{error.start}; convert it, with iconv say"
        ) from None
    if not text:
        raise UserError("standard input is empty; pipe text in, a line each")
    # Not splitlines: a form feed within a text ends no line.
    return text.removesuffix("\n").split("\n")
