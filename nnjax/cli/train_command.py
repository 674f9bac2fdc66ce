"""``nnjax train CONFIG``: trains an experiment, by name or from a file."""

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from nnjax.cli import files, seeds
from nnjax.errors import UserError

USAGE = """usage: nnjax train CONFIG [OPTIONS]

CONFIG is a name from 'nnjax list' or the path of a Python file that defines `config`, an
Experiment. 'nnjax train CONFIG --help' lists the options, which are the fields of that experiment.

--seeds N trains N runs that differ in their seeds alone, together, and gives their mean and spread.

One run of several processes: start each with --coordinator HOST:PORT --processes N --process-id K,
or, under SLURM, Open MPI or on a Cloud TPU, with --coordinator auto.
"""


def run(arguments: list[str], script: ModuleType | None = None) -> int:
    """Parses the command line, makes the run directory and runs the experiment's script.

    Args:
      arguments: the config's name, then options.
      script: the experiment script to run; None takes the one that the config names.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    name = arguments[0]
    file = files.find_config(name)
    if seeds.OPTION in arguments:
        return seeds.run(file, arguments)
    # Imported here: options and scripts need JAX, which takes a second.
    from nnjax.cli.hosts_options import joined

    with joined(arguments[1:], f"nnjax train {name}") as rest:
        return _train(name, file, rest, script)


def _train(name: str, file: Path, rest: list[str], script: ModuleType | None) -> int:
    """Trains the experiment of a config file with the options ``rest``."""
    from nnjax.cli import compilation_cache
    from nnjax.cli.options import parse
    from nnjax.training.interruption import Interrupted
    from nnjax.training.runs import Run

    compilation_cache.enable()
    module = files.load(file)
    options = parse(files.read_config(module), rest, f"nnjax train {name}")
    experiment = options.experiment
    if options.dry_run:
        from nnjax.cli.summary_command import report

        return report(experiment)
    script = script or find_script(experiment, module)
    own = None if files.is_built_in(file) else file
    made = Run.create(file.stem, experiment, directory=options.run_dir, config_file=own)
    try:
        execute(script, experiment, made, quiet=options.quiet)
    except Interrupted:
        raise
    except Exception:
        # Options that do not fit the data or the machine, and slips in a file of one's own, leave
        # nothing in the way of the next try.
        if made.keeps and made.status == "running":
            made.remove_unused()
        raise
    return 0


def execute(
    script: ModuleType, experiment: Any, run: Any, *, resume: bool = False, quiet: bool = False
) -> None:
    """Runs the script's ``main``; also what stops it before or after the updates is a sentence.

    Raises:
      Interrupted: SIGTERM or SIGINT came.
    """
    from nnjax.training import interruption

    def hint() -> str:
        if run.status == "finished":
            return f"stopped; the run {run.directory} is finished, but for its figures"
        return f"stopped; go on with: nnjax resume {run.directory}"

    with interruption.raising(hint):
        script.main(experiment, run, resume=resume, quiet=quiet)


def find_script(experiment: Any, module: ModuleType | None) -> ModuleType:
    """The module whose ``main`` runs the experiment: the config file itself where it has one.

    Raises:
      UserError: that ``main`` does not take what it is called with.
    """
    if module is not None and hasattr(module, "main"):
        _check_main(module)
        return module
    return files.load(files.folder("experiments") / f"{experiment.script}.py")


def _check_main(module: ModuleType) -> None:
    """Refuses a function of another kind before anything is trained."""
    try:
        inspect.signature(module.main).bind(None, None, resume=False, quiet=False)
    except TypeError as error:
        raise UserError(
            f"{module.__file__} defines a main that cannot be called as main(experiment, run, "
            f"resume=..., quiet=...): {error}"
        ) from error
