"""The console that the command line writes to: it shows every string as it is."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import rich.console
from rich.text import Text

from nnjax.escapes import printable

UNLIMITED = 1_000_000
"""The width, in characters, of output that is not a terminal."""


class Console(rich.console.Console):
    """A rich console for names and numbers: nothing is markup, and no line is wrapped or cut.

    * Text in square brackets, between colons, or that looks like a number is printed as it is.
    * The width is that of the terminal. A file, a pipe and a notebook have no limit of width.
    * ``is_interactive``, whether lines that were written can be changed, is true on a terminal
      only. The cells of a notebook do not qualify, although ``!nnjax`` runs in a terminal there.
    * When the reader of a pipe, ``head`` for example, has closed it, the rest is not printed, and
      the program continues.

    Args:
      **options: as for ``rich.console.Console``.

    Example:
      >>> from nnjax.console import Console
      >>> Console().print("[bold]a class[/bold] :smile:")
      [bold]a class[/bold] :smile:
    """

    def __init__(self, **options: Any):
        as_it_is = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
        super().__init__(**{"force_jupyter": False, **as_it_is, **options})
        # Not `self.is_terminal`: FORCE_COLOR, which notebooks set, makes that true of files, too.
        is_terminal = options.get("force_terminal")
        if is_terminal is None:
            is_terminal = _is_terminal(self.file)
        if not is_terminal or _is_in_notebook(options.get("_environ", os.environ)):
            self.is_interactive = False
        if not is_terminal and "width" not in options:
            self.width = UNLIMITED

    def on_broken_pipe(self) -> None:
        """Stops printing, but not the program."""
        with suppress(SystemExit):
            super().on_broken_pipe()

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with control characters as escapes, except for new lines and tabs."""
        return super().render_str(printable(text, keep="\n\t"), **options)


def _is_terminal(file: Any) -> bool:
    try:
        return bool(file.isatty())
    except (AttributeError, ValueError):
        # The stream is an object of the user's, or closed.
        return False


def _is_in_notebook(environment: Mapping[str, str]) -> bool:
    """Whether a notebook started this process: its output cells ignore cursor movements."""
    return (
        "JPY_PARENT_PID" in environment
        or "COLAB_RELEASE_TAG" in environment
        or "matplotlib_inline" in environment.get("MPLBACKEND", "")
    )
