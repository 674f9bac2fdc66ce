"""The display of a run: which lines it leaves, and what they say."""

import io
import re
from types import SimpleNamespace

import pytest
import rich.console

from nnjax.console import Console
from nnjax.training import progress
from nnjax.training.progress import Progress, result_table


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def make_console(*, terminal=False, width=80, **options):
    environment = {"TERM": "xterm-256color"}
    return rich.console.Console(
        file=io.StringIO(), force_terminal=terminal, width=width, _environ=environment, **options
    )


def lines(console):
    return console.file.getvalue().splitlines()


def update(shown, step, validation=None, loss=0.5):
    shown.update(step=step, train={"loss": loss}, validation=validation, examples_per_second=1234.5)


def test_an_evaluation_leaves_a_line_under_headings(clock):
    console = make_console()
    with Progress(total_steps=20, steps_per_epoch=10, console=console) as shown:
        clock.now += 40
        update(shown, 5)
        clock.now += 25
        shown.update(
            step=10,
            train={"loss": 0.25, "accuracy": 0.75},
            validation={"loss": 0.125, "accuracy": 0.875},
            examples_per_second=12345.6,
        )
    above, names, row = lines(console)
    assert above.split() == ["train", "validation"]
    assert names.split() == [
        "epoch",
        "step",
        "loss",
        "accuracy",
        "loss",
        "accuracy",
        "examples/s",
        "time",
    ]
    assert row.split() == ["1/2", "10", "0.2500", "0.7500", "0.1250", "0.8750", "12,346", "1:05"]
    assert len(names) == len(row)


def test_quick_evaluations_share_a_line_but_the_first_and_the_last_have_theirs(clock):
    console = make_console()
    with Progress(total_steps=100, steps_per_epoch=1, console=console) as shown:
        for step in range(1, 101):
            clock.now += 0.1
            update(shown, step, validation={"loss": 1.0})
    steps = [int(line.split()[1]) for line in lines(console)[2:]]
    assert steps[0] == 1
    assert steps[-1] == 100
    assert 10 <= len(steps) <= 12


def test_the_last_evaluation_is_written_even_if_the_run_ends_early(clock):
    console = make_console()
    with Progress(total_steps=100, steps_per_epoch=1, console=console) as shown:
        update(shown, 1, validation={"loss": 1.0})
        update(shown, 2, validation={"loss": 1.0})
        assert len(lines(console)) == 3
    assert [line.split()[1] for line in lines(console)[2:]] == ["1", "2"]


def test_without_evaluations_every_epoch_is_one(clock):
    console = make_console()
    with Progress(total_steps=4, steps_per_epoch=2, console=console) as shown:
        for step in range(1, 5):
            clock.now += 2
            update(shown, step)
    assert [line.split()[0] for line in lines(console)[2:]] == ["1/2", "2/2"]


def test_a_long_epoch_gives_a_sign_of_life(clock):
    console = make_console()
    with Progress(total_steps=1000, steps_per_epoch=1000, console=console) as shown:
        for step in range(1, 13):
            clock.now += 10
            update(shown, step)
    assert [line.split()[1] for line in lines(console)[2:]] == ["6", "12"]


def test_quiet_shows_notes_alone(clock):
    console = make_console()
    with Progress(total_steps=1, steps_per_epoch=1, console=console, quiet=True) as shown:
        shown.note("resumed at step 0 [of 1]")
        update(shown, 1, validation={"loss": 1.0})
    assert lines(console) == ["resumed at step 0 [of 1]"]


def test_lines_are_never_broken_away_from_a_terminal(clock):
    console = make_console(width=20)
    with Progress(total_steps=1, steps_per_epoch=1, console=console) as shown:
        shown.note("a note " * 20)
        update(shown, 1, validation={"mean_absolute_error": 1.0})
    assert len(lines(console)) == 4


@pytest.mark.parametrize("width", [26, 40, 56, 80, 200])
def test_a_narrow_terminal_shows_fewer_columns_and_whole_numbers(clock, width):
    console = make_console(terminal=True, width=width, force_interactive=False)
    numbers = {"loss": 0.1234, "accuracy": 0.5678, "mean_absolute_error": 0.9012}
    with Progress(total_steps=10, steps_per_epoch=10, console=console) as shown:
        shown.update(step=10, train=numbers, validation=numbers, examples_per_second=0.517)
        live = io.StringIO()
        rich.console.Console(file=live, width=width).print(shown._display())
    heading, *_ = [line for line in lines(console) if "loss" in line]
    (row,) = [line for line in lines(console) if "1/1" in line]
    assert max(len(heading), len(row)) <= width + len("\x1b[2m\x1b[0m")
    assert set(row.split()) <= {"1/1", "10", "0.1234", "0.5678", "0.9012", "0.52", "0:00"}
    assert row.split().count("0.1234") == (2 if width >= 80 else 1)
    assert ("0.52" in row) == (width == 200)
    assert "…" not in live.getvalue()


def test_names_of_metrics_are_shown_as_they_are(clock):
    console = make_console()
    with Progress(total_steps=1, steps_per_epoch=1, console=console) as shown:
        update(shown, 1, validation={"[red]f1": 1.0, "精度": 0.5, "two\nlines": 0.25})
        shown.note("a note [of 1]\x1b")
    _, names, row, note = lines(console)
    assert names.split()[3:6] == ["[red]f1", "精度", "two\\nlines"]
    assert row.split()[3:6] == ["1.0000", "0.5000", "0.2500"]
    assert note == "a note [of 1]\\x1b"


@pytest.mark.parametrize(
    "environment", [{"JPY_PARENT_PID": "1", "TERM": "xterm-color"}, {"TERM": "dumb"}]
)
def test_a_notebook_and_a_dumb_terminal_get_lines_without_cursor_movements(clock, environment):
    file = io.StringIO()
    file.isatty = lambda: True
    console = Console(file=file, _environ={"FORCE_COLOR": "1", **environment})
    with Progress(total_steps=2, steps_per_epoch=1, console=console) as shown:
        for step in (1, 2):
            clock.now += 5
            update(shown, step, validation={"loss": 1.0})
    assert len(file.getvalue().splitlines()) == 4
    escapes = re.findall(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", file.getvalue())
    assert all(escape.endswith("m") for escape in escapes)


@pytest.mark.parametrize("width", [56, 80])
def test_a_terminal_shows_the_present_and_what_is_left_within_its_width(clock, width):
    console = make_console(terminal=True, width=width)
    with Progress(total_steps=40, steps_per_epoch=10, console=console) as shown:
        update(shown, 10, validation={"loss": 0.5, "accuracy": 0.5})
        clock.now += 10
        update(shown, 20)
        with console.capture() as capture:
            console.print(shown._display())
    present = capture.get()
    assert "2/4" in present
    assert "50%  0:20 left" in present
    assert ("step" in "".join(lines(console))) == (width == 80)
    plain = io.StringIO()
    Console(file=plain, width=width).print(shown._display())
    assert all(len(line) <= width for line in plain.getvalue().splitlines())


def test_the_held_out_split_is_named(clock):
    console = make_console()
    with Progress(total_steps=1, steps_per_epoch=1, console=console, held_out="test") as shown:
        update(shown, 1, validation={"loss": 1.0})
    assert lines(console)[0].split() == ["train", "test"]


def test_parts_of_an_epoch_and_tiny_numbers_are_readable(clock):
    console = make_console()
    with Progress(total_steps=25, steps_per_epoch=10, console=console) as shown:
        update(shown, 25, validation={"loss": 1.25e-7}, loss=float("nan"))
    assert lines(console)[-1].split()[:4] == ["2.5/2.5", "25", "nan", "1.2e-07"]


def test_result_table_names_metrics_times_and_figures():
    console = make_console()
    summary = {
        "status": "interrupted",
        "train": {"loss": 0.01, "accuracy": 0.999},
        "test": {"loss": 0.02},
        "seconds": 12.34,
        "compile_seconds": 2.0,
        "examples_per_second": 54321.0,
        "parameters": 108870,
        "figures": ["runs/a/curves.png", "runs/a/[bracketed].png"],
    }
    console.print(result_table(summary))
    text = console.file.getvalue()
    for expected in ("0.9990", "0.0200", "12.3, of which 2.0 compiling", "54,321", "108,870"):
        assert expected in text
    assert "interrupted" in text
    assert "runs/a/[bracketed].png" in text


def test_result_table_of_an_empty_summary():
    make_console().print(result_table({}))
