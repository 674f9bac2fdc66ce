"""The options that make one run of several processes, on ``nnjax train`` and ``nnjax resume``.

These options are not fields of the experiment, because a run may be resumed with another number of
processes. They are parsed before all others, because JAX must connect the processes before it uses
a device.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nnjax.cli import words
from nnjax.cli.options import parse_with_tyro
from nnjax.distributed import hosts

NAMES = ("--coordinator", "--processes", "--process-id")

ONE_PROCESS = ("-h", "--help", "--dry-run")


@contextmanager
def joined(arguments: list[str], program: str) -> Iterator[list[str]]:
    """Connects the processes of a run if the options ask for several; yields the other words.

    Raises:
      UserError: the options contradict each other, or the processes cannot connect.
    """
    own, rest = words.split(arguments, NAMES)
    chosen = parse_with_tyro(hosts.Hosts, own, program)
    if set(rest) & set(ONE_PROCESS):
        chosen = hosts.Hosts()
    with hosts.joined(chosen):
        yield rest
