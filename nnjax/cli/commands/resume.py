"""``nnjax resume RUN``: continues a run or a sweep that was stopped, with the same result."""

from pathlib import Path
from typing import Annotated

import tyro

from nnjax import fields
from nnjax.cli import compilation_cache, hosts_options, sweep_run, words
from nnjax.cli.options import call_with_options
from nnjax.cli.runs import open_run
from nnjax.cli.scripts import execute, find_script, has_ended
from nnjax.distributed.devices import use_threads
from nnjax.errors import UserError
from nnjax.sweeps.record.directory import SweepDirectory, is_sweep


def resume(
    run: Annotated[Path, tyro.conf.Positional],
    quiet: bool = False,
    devices: int | None = None,
    trust: bool = False,
) -> None:
    """Continues a run that was stopped, from its newest checkpoint, or a whole sweep.

    A run that was stopped while its figures were drawn gets the missing figures. A run that another
    process is training is refused.

    A run may continue with another number of processes: start each with --coordinator HOST:PORT
    --processes N --process-id K, or, under SLURM, Open MPI or on a Cloud TPU, with --coordinator
    auto.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name; or the directory of a
        sweep.
      quiet: show nothing but errors and the last table.
      devices: number of devices to continue with, 0 for all; None takes as many as before.
      trust: run the code that came with the run, also where somebody else made it.
    """
    if is_sweep(run):
        if devices is not None:
            raise UserError(
                f"{run} is a sweep, each trial of which has a device: leave --devices out"
            )
        sweep_run.resume(SweepDirectory.open(run, trust=trust), quiet=quiet)
        return
    opened = open_run(run, trust=trust)
    if opened.run.status == "finished" and has_ended(opened.run):
        raise UserError(
            f"run {opened.run.directory} is finished; 'nnjax evaluate' measures it again, "
            "'nnjax train' starts a new one"
        )
    compilation_cache.enable()
    use_threads(opened.experiment.training.threads)
    experiment = opened.experiment
    if devices is not None:
        experiment = fields.replace(experiment, {"training.devices": devices})
    script = find_script(experiment, opened.module)
    execute(script, experiment, opened.run, resume=True, quiet=quiet)


def run(arguments: list[str]) -> int:
    """Parses the command line and resumes."""
    own, rest = words.split(arguments, hosts_options.NAMES)
    for path in filter(is_sweep, map(Path, rest)):
        if own:
            raise UserError(
                f"{path} is a sweep, which one process conducts: leave {own[0]} out; other "
                f"machines join it by: nnjax sweep --join {path}"
            )
    with hosts_options.joined(arguments, "nnjax resume") as rest:
        call_with_options(resume, rest, "nnjax resume")
    return 0
