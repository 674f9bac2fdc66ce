"""The console shows every string as it is, at any length."""

import io

import pytest

from nnjax.console import UNLIMITED, Console
from nnjax.errors import warn
from nnjax.escapes import printable


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def printed(*objects, **options):
    file = io.StringIO()
    Console(file=file, **options).print(*objects)
    return file.getvalue()


@pytest.mark.parametrize("text", ["[red]", "[/]", r"\[", ":smile:", "[link=x]y", "$x_1^2$"])
def test_names_are_no_markup(text):
    assert printed(text) == f"{text}\n"


def test_control_characters_are_escaped_but_new_lines_and_tabs():
    assert printed("\x1b[31mred\x00\n\tnext") == "\\x1b[31mred\\x00\n        next\n"
    assert printable("a\nb\r\x7f\u2028\udc80 中 😀") == "a\\nb\\r\\x7f\\u2028\\udc80 中 😀"


@pytest.mark.parametrize("options", [{}, {"width": 20}])
def test_no_line_is_wrapped_or_cut(options):
    line = "a long line of words " * 20
    assert printed(line, **options) == f"{line}\n"


def test_a_file_has_no_width_whatever_the_variables_say():
    environment = {"COLUMNS": "30", "FORCE_COLOR": "1", "TERM": "xterm"}
    console = Console(file=io.StringIO(), _environ=environment)
    assert (console.width, console.is_interactive) == (UNLIMITED, False)


@pytest.mark.parametrize(
    ("environment", "interactive"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "JPY_PARENT_PID": "1"}, False),
        ({"TERM": "xterm", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}, False),
    ],
)
def test_only_a_terminal_that_moves_its_cursor_is_interactive(environment, interactive):
    console = Console(file=Terminal(), _environ={"COLUMNS": "30", **environment})
    assert console.is_terminal
    assert console.is_interactive == interactive
    assert console.width == (80 if environment["TERM"] == "dumb" else 30)


def test_messages_cannot_command_the_terminal(capsys):
    warn("the class '\x1b[2Jcat'\nis unknown")
    assert capsys.readouterr().err == "nnjax: the class '\\x1b[2Jcat'\nis unknown\n"
