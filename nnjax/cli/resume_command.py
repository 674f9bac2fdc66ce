"""``nnjax resume RUN``: goes on with a run that was stopped, as if it never had been."""

from pathlib import Path
from typing import Annotated

import tyro

from nnjax.cli import compilation_cache
from nnjax.cli.options import call_with_options
from nnjax.cli.runs import open_run
from nnjax.cli.train_command import execute, find_script
from nnjax.errors import UserError


def resume(run: Annotated[Path, tyro.conf.Positional], quiet: bool = False) -> None:
    """Goes on with a run that was stopped, from its newest checkpoint.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      quiet: show nothing but errors and the last table.
    """
    opened = open_run(run)
    if opened.run.status == "finished":
        raise UserError(
            f"run {opened.run.directory} is finished; 'nnjax evaluate' measures it again, "
            "'nnjax train' starts a new one"
        )
    compilation_cache.enable()
    script = find_script(opened.experiment, opened.module)
    execute(script, opened.experiment, opened.run, resume=True, quiet=quiet)


def run(arguments: list[str]) -> int:
    """Parses the command line and resumes."""
    call_with_options(resume, arguments, "nnjax resume")
    return 0
