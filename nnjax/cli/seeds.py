"""``nnjax train CONFIG --seeds N``: the same run from several seeds, as a sweep over them."""

from collections.abc import Sequence
from pathlib import Path

from nnjax.cli import files, words
from nnjax.cli.commands import sweep
from nnjax.errors import UserError

OPTION = "--seeds"


def run(file: Path, arguments: Sequence[str]) -> int:
    """Trains once for each of ``--seeds`` consecutive seeds, beginning with the seed of the run.

    Args:
      file: the config file.
      arguments: those of ``nnjax train``, with ``--seeds N``.

    Raises:
      UserError: N is no positive number.
    """
    said, rest = words.take(arguments, OPTION)
    count = _number(OPTION, said)
    if count < 1:
        raise UserError(f"{OPTION} must be at least 1, not {count}")
    given, rest = words.take(rest, "--seed")
    first = _own_seed(file) if given is None else _number("--seed", given)
    rest = words.rename(rest, "--run-dir", "--sweep-dir")
    return sweep.run([*rest, "--over", "seed", f"{first}..{first + count - 1}"])


def _number(option: str, word: str | None) -> int:
    try:
        return int(word or "")
    except ValueError:
        raise UserError(f"{option} takes a whole number, not '{word}'") from None


def _own_seed(file: Path) -> int:
    return files.read_config(files.load(file)).training.seed
