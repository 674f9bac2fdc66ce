"""What the commands that use a trained model of texts share: opening its run, reading texts."""

import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

from nnjax.cli.runs import open_run
from nnjax.data.text.labelled import LabelledText
from nnjax.data.text.tagged import TaggedText
from nnjax.errors import UserError, warn
from nnjax.learners.state import State


class Trained(NamedTuple):
    """A trained learner with what its run recorded.

    Attributes:
      directory: the run directory.
      learner: the learner, with what it took from the data filled in.
      state: the best state, else the newest.
      data: what the run recorded of its data (a ``Spec``), or the data itself.
      experiment: the run's configuration.
    """

    directory: Path
    learner: Any
    state: State
    data: Any
    experiment: Any

    @property
    def variables(self) -> dict[str, Any]:
        """The variables for ``model.apply``, averaged where the optimizer averages."""
        from nnjax.export import evaluation_params

        return {"params": evaluation_params(self.learner, self.state)}

    @property
    def maximum_length(self) -> int | None:
        """The number of words, or characters, after which texts were cut in training."""
        recorded = self.data.maximum_length
        # Version 0.1.0 did not record it; sentences to translate are never cut.
        if recorded is None and isinstance(self.experiment.data, LabelledText | TaggedText):
            return self.experiment.data.maximum_length
        return recorded


def open_trained(directory: Path, *, trust: bool = False) -> Trained:
    """Opens a run and reads its best, else its newest parameters; its data need not be there.

    Args:
      directory: of the run.
      trust: as for :func:`nnjax.cli.runs.open_run`.

    Raises:
      UserError: there is no run, it has no checkpoint yet, or its files are damaged.
    """
    from nnjax.training.snapshot import read_trained

    opened = open_run(directory, trust=trust)
    data = opened.known_data()
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
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")
