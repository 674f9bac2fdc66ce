"""``nnjax train CONFIG --seeds N``: the same run from several seeds, as a sweep over them."""

from collections.abc import Sequence
from pathlib import Path

from nnjax.cli import files, sweep_command
from nnjax.errors import UserError

OPTION = "--seeds"


def run(file: Path, arguments: Sequence[str]) -> int:
    """Trains from as many seeds as ``--seeds`` says, from the run's own seed on.

    Args:
      file: the config file.
      arguments: as ``nnjax train`` takes them, ``--seeds N`` among them.

    Raises:
      UserError: N is no positive number.
    """
    words = list(arguments)
    count = _number(OPTION, _take(words, OPTION))
    if count < 1:
        raise UserError(f"{OPTION} must be at least 1, not {count}")
    given = _take(words, "--seed")
    first = _own_seed(file) if given is None else _number("--seed", given)
    words = ["--sweep-dir" if word == "--run-dir" else word for word in words]
    return sweep_command.run([*words, "--over", "seed", f"{first}..{first + count - 1}"])


def _take(words: list[str], option: str) -> str | None:
    """Takes an option out of the words and returns its value; None where it is not there."""
    if option not in words:
        return None
    place = words.index(option)
    value = words[place + 1] if place + 1 < len(words) else ""
    del words[place : place + 2]
    return value


def _number(option: str, word: str | None) -> int:
    try:
        return int(word or "")
    except ValueError:
        raise UserError(f"{option} takes a whole number, not '{word}'") from None


def _own_seed(file: Path) -> int:
    return files.read_config(files.load(file)).training.seed
