"""``nnjax export RUN``: a trained model for use elsewhere."""

import os
from pathlib import Path
from typing import Annotated

import tyro

from nnjax.cli.options import call_with_options
from nnjax.cli.runs import open_run
from nnjax.console import Console
from nnjax.errors import UserError, warn


def export(
    run: Annotated[Path, tyro.conf.Positional],
    to: Path | None = None,
    overwrite: bool = False,
    trust: bool = False,
) -> None:
    """Writes a trained model as safetensors and StableHLO, and checks that both reload.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      to: the folder to write into; by default `export` inside the run directory.
      overwrite: replace the files of an earlier export.
      trust: run the code that came with the run, also where somebody else made it.
    """
    from nnjax.export import export as write
    from nnjax.training.snapshot import read_trained

    console = Console()
    opened = open_run(run, trust=trust)
    data = opened.known_data()
    learner, state, step = read_trained(opened.experiment, opened.run, data, warn)
    folder = to or opened.run.directory / "export"
    if to is None and folder.is_symlink():
        raise UserError(
            f"{folder} is a symbolic link to {os.readlink(folder)}; to write there, give --to"
        )
    files = write(learner, state, data, folder, overwrite=overwrite)
    console.print(f"step {step:,}, reloaded to the same predictions:")
    for file in files:
        console.print(f"  {file} ({file.stat().st_size:,} bytes)")


def run(arguments: list[str]) -> int:
    """Parses the command line and exports."""
    call_with_options(export, arguments, "nnjax export")
    return 0
