"""The options that make one run of several processes, on ``nnjax train`` and ``nnjax resume``.

They are no fields of the experiment: the same run may go on with another number of processes. And
they are read before everything else, as JAX must know of the others before it touches a device.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nnjax.cli import words
from nnjax.cli.options import parse_with_tyro
from nnjax.distributed import hosts

NAMES = ("--coordinator", "--processes", "--process-id")

NEEDS_NO_OTHERS = ("-h", "--help", "--dry-run")


@contextmanager
def joined(arguments: list[str], program: str) -> Iterator[list[str]]:
    """Connects with the other processes where the options say so; gives the words left over.

    Raises:
      UserError: the options do not fit each other, or the processes do not find each other.
    """
    own, rest = words.split(arguments, NAMES)
    chosen = parse_with_tyro(hosts.Hosts, own, program)
    if set(rest) & set(NEEDS_NO_OTHERS):
        chosen = hosts.Hosts()
    with hosts.joined(chosen):
        yield rest
