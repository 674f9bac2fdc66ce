"""The display of a run: live on a terminal, plain lines in a file, a pipe or a notebook."""

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import rich.console
import rich.table
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from nnjax.console import Console
from nnjax.data.dataset import SPLITS, Dataset, Stream
from nnjax.escapes import printable
from nnjax.tables import Table
from nnjax.training.experiment import check_data
from nnjax.training.options import Training

REFRESHES_PER_SECOND = 4
"""How often a thread draws the live display; training does not wait for it."""

SECONDS_BETWEEN_LINES = 1.0
"""Of the evaluations within this time, only one gets a line."""

SECONDS_TO_A_SIGN_OF_LIFE = 60.0
"""Without a live display, a line is written after this time even if nothing was evaluated."""


class _Report(NamedTuple):
    """What a run reported at one call of ``update``; ``at`` is the time of the call in seconds."""

    step: int
    train: Mapping[str, float]
    validation: Mapping[str, float]
    examples_per_second: float | None
    at: float


class _Column(NamedTuple):
    """A column of the lines: its group ("train" or the like), its heading and its width."""

    group: str
    heading: str
    width: int


class Progress:
    """The display of a run, as a context manager.

    Every evaluation leaves a line, but at most about one a second; the first and the last
    evaluation always do. On a terminal, a row below the lines shows the newest metrics, a bar and
    the time left. Where the terminal is too narrow, the least important columns are left out.

    Args:
      total_steps: updates in the whole run.
      steps_per_epoch: updates in one pass over the training data.
      console: where to write; None takes standard output.
      quiet: show notes only.
      held_out: the split that the ``validation`` metrics come from.

    Example:
      >>> from nnjax.training.progress import Progress
      >>> with Progress(total_steps=20, steps_per_epoch=10) as progress:
      ...     progress.update(
      ...         step=20, train={"loss": 0.25}, validation={"loss": 0.5}, examples_per_second=800
      ...     )
                     train    validation
      epoch  step     loss     loss  examples/s     time
        2/2    20   0.2500   0.5000         800     0:00
    """

    def __init__(
        self,
        *,
        total_steps: int,
        steps_per_epoch: int,
        console: rich.console.Console | None = None,
        quiet: bool = False,
        held_out: str = "validation",
    ):
        self._total_steps = total_steps
        self._steps_per_epoch = steps_per_epoch
        self._console = console or Console()
        self._quiet = quiet
        self._held_out = held_out
        self._live: Live | None = None
        self._began = time.perf_counter()
        self._first: _Report | None = None
        self._last: _Report | None = None
        self._unwritten: _Report | None = None
        self._written_at = -math.inf
        self._headed: list[_Column] = []
        # Dictionaries serve as ordered sets of the metrics seen so far.
        self._train_metrics: dict[str, None] = {}
        self._validation_metrics: dict[str, None] = {}

    @classmethod
    def of(cls, training: Training, data: Dataset | Stream, *, quiet: bool = False) -> "Progress":
        """The display for a training with these options on this data."""
        check_data(data)
        examples = data.size("train")
        return cls(
            total_steps=training.steps_to_make(examples),
            steps_per_epoch=training.steps_per_epoch(examples),
            quiet=quiet,
            held_out="validation" if data.size("validation") else "test",
        )

    def __enter__(self) -> "Progress":
        self._began = time.perf_counter()
        if self._console.is_interactive and not self._quiet:
            self._live = Live(
                get_renderable=self._display,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._unwritten:
            self._write(self._unwritten)
        if self._live:
            self._live.stop()

    def update(
        self,
        *,
        step: int,
        train: Mapping[str, float] | None,
        validation: Mapping[str, float] | None,
        examples_per_second: float | None,
    ) -> None:
        """Reports how far the run has come; cheap enough to call after every few updates.

        Args:
          step: updates made so far.
          train: metrics of the updates since the last evaluation.
          validation: metrics of an evaluation at this step; None if there was none.
          examples_per_second: speed of training.
        """
        if self._quiet:
            return
        self._train_metrics |= dict.fromkeys(train or {})
        self._validation_metrics |= dict.fromkeys(validation or {})
        now = time.perf_counter()
        report = _Report(step, train or {}, validation or {}, examples_per_second, now)
        crossed = self._crosses_epoch(step)
        evaluated = bool(validation) or (crossed and not self._validation_metrics)
        self._first = self._first or report
        self._last = report
        if evaluated:
            self._unwritten = report
        if self._line_is_due(report, evaluated):
            self._write(report)

    def note(self, message: str) -> None:
        """Writes a line that stays, for example the step from which a run is resumed."""
        self._print(Text(printable(message)))

    def _crosses_epoch(self, step: int) -> bool:
        before = self._last.step if self._last else 0
        return step // self._steps_per_epoch > before // self._steps_per_epoch

    def _line_is_due(self, report: _Report, evaluated: bool) -> bool:
        waited = report.at - self._written_at
        if report.step >= self._total_steps:
            return True
        if evaluated:
            return waited >= SECONDS_BETWEEN_LINES
        since = max(self._written_at, self._began)
        return self._live is None and report.at - since >= SECONDS_TO_A_SIGN_OF_LIFE

    def _write(self, report: _Report) -> None:
        """Writes the line of a report, below new headings if the columns have changed."""
        columns = self._columns()
        if columns != self._headed:
            self._headed = columns
            for heading in _headings(columns):
                self._print(Text(heading, style="dim"))
        self._print(Text(_row(columns, self._cells(report))))
        self._written_at = report.at
        self._unwritten = None

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _columns(self) -> list[_Column]:
        """The columns of a line: as many as fit, the least important ones left out."""
        # Room for a fraction, as in "2.5/10".
        epoch = _Column("", "epoch", 2 + len(self._epoch(self._total_steps)))
        step = _Column("", "step", max(4, len(f"{self._total_steps:,}")))
        speed, clock = _Column("", "examples/s", 10), _Column("", "time", 7)
        train, held_out = (
            [_Column(group, name, max(7, cell_len(_heading(name)))) for name in names]
            for group, names in (
                ("train", self._train_metrics),
                (self._held_out, self._validation_metrics),
            )
        )
        columns = [epoch, step, *train, *held_out, speed, clock]
        if not self._console.is_terminal:
            return columns
        indispensable = (held_out or train)[:1]
        for least in (step, speed, *reversed(train), clock, *reversed(held_out)):
            if least not in indispensable and len(_row(columns, {})) > self._console.width:
                columns.remove(least)
        return columns

    def _cells(self, report: _Report) -> dict[tuple[str, str], str]:
        """The texts of a line by (group, heading)."""
        cells = {
            ("", "epoch"): self._epoch(report.step),
            ("", "step"): f"{report.step:,}",
            ("", "time"): _clock(report.at - self._began),
        }
        if report.examples_per_second:
            cells["", "examples/s"] = _speed(report.examples_per_second)
        for group, metrics in (("train", report.train), (self._held_out, report.validation)):
            for name, value in metrics.items():
                cells[group, name] = format_metric(value)
        return cells

    def _epoch(self, step: int) -> str:
        """Epochs of the total, as in "3/10" or "2.5/10"."""
        done, total = step / self._steps_per_epoch, self._total_steps / self._steps_per_epoch
        digits = 0 if done.is_integer() else 1 if total >= 1 else 2
        return f"{done:.{digits}f}/{total:.10g}" if total >= 1 else f"{done:.2f}/{total:.2g}"

    def _display(self) -> RenderableType:
        """The live part: the newest report as a line of the table, and a bar below it."""
        now = time.perf_counter()
        report = self._last
        if report is None:
            return Text(f"compiling the first update, {_clock(now - self._began)}", style="dim")
        columns = self._columns()
        row = _row(columns, self._cells(report._replace(at=now)))
        lines = [Text(row, no_wrap=True, style="bold")]
        if columns != self._headed:
            headings = _headings(columns)
            lines[:0] = [Text(heading, style="dim", no_wrap=True) for heading in headings]
        return Group(*lines, self._bar(report, now))

    def _bar(self, report: _Report, now: float) -> rich.table.Table:
        share = report.step / self._total_steps
        left = self._seconds_left(report, now)
        words = f"{share:4.0%}" if left is None else f"{share:4.0%}  {_clock(left)} left"
        bar = rich.table.Table.grid(padding=(0, 2), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_row(ProgressBar(total=self._total_steps, completed=report.step), words)
        return bar

    def _seconds_left(self, report: _Report, now: float) -> float | None:
        """The time left, by the speed since the first report, which excludes compilation."""
        assert self._first is not None
        done = report.step - self._first.step
        if not done:
            return None
        pace = (report.at - self._first.at) / done
        return max(0.0, pace * (self._total_steps - report.step) - (now - report.at))


def result_table(summary: Mapping[str, Any]) -> Group:
    """The result of a run, for ``Console.print``: metrics of each split, times, counts, figures.

    Args:
      summary: as in ``summary.json``; ``figures``, where given, are the paths of pictures.

    Example:
      >>> from nnjax.console import Console
      >>> from nnjax.escapes import printable
      >>> summary = {"test": {"loss": 0.1034, "accuracy": 0.9712}, "parameters": 1135}
      >>> Console().print(result_table(summary))
              loss  accuracy
      test  0.1034    0.9712
      <BLANKLINE>
      parameters  1,135
    """
    splits = {name: summary[name] for name in SPLITS if name in summary}
    facts = Table(["", ""], left=(0, 1))
    for name, text in _facts(summary):
        facts.add_row(name, text)
    return Group(_metrics_table(splits), "", facts) if splits else Group(facts)


def _metrics_table(splits: Mapping[str, Mapping[str, float]]) -> Table:
    names = dict.fromkeys(name for metrics in splits.values() for name in metrics)
    table = Table(["", *(name.replace("_", " ") for name in names)])
    for split, metrics in splits.items():
        numbers = [format_metric(metrics[name]) if name in metrics else "" for name in names]
        # Bold, because a run is judged by its test split.
        table.add_row(split, *numbers, style="bold" if split == "test" else "")
    return table


def _facts(summary: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The name and text of each other entry of a summary."""
    if summary.get("status", "finished") != "finished":
        yield "status", str(summary["status"])
    if summary.get("best_step") is not None:
        yield "best step", f"{summary['best_step']:,} of {summary['steps']:,}"
    for search, score in summary.get("bleu", {}).items():
        yield f"BLEU, {search}", f"{score:.2f}"
    if "parameters" in summary:
        yield "parameters", f"{summary['parameters']:,}"
    if "seconds" in summary:
        seconds = f"{summary['seconds']:.1f}"
        if summary.get("compile_seconds"):
            seconds += f", of which {summary['compile_seconds']:.1f} compiling"
        yield "seconds", seconds
    if summary.get("examples_per_second"):
        yield "examples/s", _speed(summary["examples_per_second"])
    figures: Iterable[Path | str] = summary.get("figures") or ()
    for index, path in enumerate(figures):
        yield "" if index else "figures", str(path)


def format_metric(value: float) -> str:
    """A metric with four decimals; with an exponent if it is below 0.001 or from 10,000.

    Example:
      >>> from nnjax.training.progress import format_metric
      >>> format_metric(0.12345), format_metric(1.25e-7)
      ('0.1235', '1.2e-07')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e4 or not math.isfinite(value):
        return f"{value:.4f}"
    return f"{value:.1e}"


def _headings(columns: list[_Column]) -> list[str]:
    """Two lines: the splits, each above its first column, and the names of the columns."""
    above, last = "", ""
    for column in columns:
        group = column.group if column.group != last else ""
        start = " " * (column.width - min(column.width, cell_len(_heading(column.heading))))
        # A split stands above the beginning of the name of its first metric.
        above += f"{start + group:<{column.width + 2}}"
        last = column.group
    names = {(column.group, column.heading): _heading(column.heading) for column in columns}
    return [above.rstrip(), _row(columns, names)]


def _heading(metric: str) -> str:
    return printable(metric.replace("_", " "))


def _row(columns: list[_Column], cells: Mapping[tuple[str, str], str]) -> str:
    """A line of cells, each at the right of its column, with two spaces between the columns."""
    texts = [(cells.get((column.group, column.heading), ""), column.width) for column in columns]
    return "  ".join(" " * (width - cell_len(text)) + text for text, width in texts)


def _speed(per_second: float) -> str:
    """A number per second, as in "12,346" or "0.52"."""
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


def _clock(seconds: float) -> str:
    """A duration, as in "0:07" or "1:02:03"."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
