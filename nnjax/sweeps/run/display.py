"""Shows the progress of a sweep: a live table on a terminal, otherwise a line every ten seconds."""

import time
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from nnjax.console import Console
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import PROGRAM, Study
from nnjax.tables import Table

SECONDS_BETWEEN_LINES = 10.0
"""Pause between two lines where the output is no terminal."""

SECONDS_BETWEEN_LOOKS = 1.0
"""Pause between two readings of the record for the live table."""

STATES = ("waiting", "running", "complete", "pruned", "fail")


class Display:
    """The progress of a sweep, shown while the context manager is entered."""

    def __init__(
        self,
        directory: SweepDirectory,
        study: Study,
        objective: Objective,
        *,
        console: Console | None = None,
        quiet: bool = False,
    ):
        """Prepares the display.

        Args:
          directory: of the sweep.
          study: its record.
          objective: the metric that ranks the trials.
          console: where to write; None takes standard output.
          quiet: show nothing.
        """
        self._directory, self._study, self._objective = directory, study, objective
        self._console = console or Console()
        self._quiet = quiet
        self._began = time.perf_counter()
        self._ended_before = self._ended(study.counts())
        self._looked_at = 0.0
        self._live: Live | None = None

    def __enter__(self) -> "Display":
        if self._console.is_interactive and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def update(self) -> None:
        """Shows the progress, unless it was shown a moment ago."""
        pause = SECONDS_BETWEEN_LOOKS if self._live else SECONDS_BETWEEN_LINES
        now = time.perf_counter()
        if self._quiet or now - self._looked_at < pause:
            return
        self._looked_at = now
        if self._live:
            self._live.update(self._table())
        else:
            self._console.print(self._line())

    def _line(self) -> str:
        counts = self._study.counts()
        told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        return f"trials: {told}{self._best()}{self._time_left(counts)}"

    def _best(self) -> str:
        best = self._study.best()
        if best is None:
            return ""
        return f"; best {self._objective} {best.value:.4f} (trial {best.number})"

    def _time_left(self, counts: Any) -> str:
        ended = self._ended(counts) - self._ended_before
        left = counts["waiting"] + counts["running"]
        if not ended or not left:
            return ""
        seconds = (time.perf_counter() - self._began) / ended * left
        return f"; about {duration(seconds)} left"

    def _ended(self, counts: Any) -> int:
        return counts["complete"] + counts["pruned"] + counts["fail"]

    def _table(self) -> Group:
        """The live table, with a row for each program."""
        table = Table(["program", "at once", *STATES, "best"], words=(0,))
        trials = self._study.trials()
        for number, entry in self._directory.read_programs().items():
            own = [t for t in trials if t.user_attrs.get(PROGRAM) == int(number)]
            counts = [sum(t.state.name.lower() == state for t in own) for state in STATES]
            values = [t.value for t in own if t.state.name == "COMPLETE" and t.value is not None]
            best = (max if self._objective.maximize else min)(values, default=None)
            table.add_row(
                describe(entry["settings"]) or "all",
                str(entry.get("members", "")),
                *(str(count or "") for count in counts),
                "" if best is None else f"{best:.4f}",
            )
        return Group(table, Text(self._line()))


def describe(settings: dict[str, str]) -> str:
    """The settings in which a program differs from the others, in a line."""
    return ", ".join(f"{path} {value}" for path, value in settings.items())


def duration(seconds: float) -> str:
    """A duration as hours, minutes and seconds: "1:02:03", or "2:03"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
