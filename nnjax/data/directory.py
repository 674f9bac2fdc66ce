"""Where fetched data is kept."""

import os
from pathlib import Path

VARIABLE = "NNJAX_DATA_DIR"


def data_directory(given: Path | None = None) -> Path:
    """The folder of fetched data: ``given``, else $NNJAX_DATA_DIR, else ~/.cache/nnjax."""
    if given is not None:
        return Path(given).expanduser()
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "nnjax"
