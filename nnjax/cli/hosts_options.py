"""The options that make one run of several processes, on ``nnjax train`` and ``nnjax resume``.

They are no fields of the experiment: the same run may go on with another number of processes. And
they are read before everything else, as JAX must know of the others before it touches a device.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nnjax.cli.options import parse_with_tyro
from nnjax.training import hosts

NAMES = ("--coordinator", "--processes", "--process-id")

NEEDS_NO_OTHERS = ("-h", "--help", "--dry-run")


@contextmanager
def joined(arguments: list[str], program: str) -> Iterator[list[str]]:
    """Connects with the other processes where the options say so; gives the words left over.

    Raises:
      UserError: the options do not fit each other, or the processes do not find each other.
    """
    own, rest = _split(arguments)
    chosen = parse_with_tyro(hosts.Hosts, own, program)
    if set(rest) & set(NEEDS_NO_OTHERS):
        chosen = hosts.Hosts()
    with hosts.joined(chosen):
        yield rest


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The words of these options, and the others."""
    own, rest = [], []
    words = iter(arguments)
    for word in words:
        if word.partition("=")[0] not in NAMES:
            rest.append(word)
        elif "=" in word:
            own += word.split("=", 1)
        else:
            own += [word, *(value for value in [next(words, None)] if value is not None)]
    return own, rest
