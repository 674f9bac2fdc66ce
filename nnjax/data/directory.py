"""Where fetched data is kept."""

import os
from pathlib import Path
from typing import Annotated

import tyro

VARIABLE = "NNJAX_DATA_DIR"

DataDir = Annotated[Path | None, tyro.conf.arg(aliases=("--data-dir",))]
"""A field of a source that says where data is kept; on the command line --data-dir, too."""


def data_directory(given: Path | None = None) -> Path:
    """The folder of fetched data: ``given``, else $NNJAX_DATA_DIR, else ~/.cache/nnjax."""
    if given is not None:
        return Path(given).expanduser()
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "nnjax"
