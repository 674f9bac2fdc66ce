"""``nnjax train CONFIG``: trains an experiment, by name or from a file."""

import sys
from pathlib import Path
from types import ModuleType

from nnjax.cli import files, seeds, words
from nnjax.cli.scripts import execute, find_script

USAGE = """usage: nnjax train CONFIG [OPTIONS]

CONFIG is a name from 'nnjax list' or the path of a Python file that defines `config`, an
Experiment. 'nnjax train CONFIG --help' lists the options, which are the fields of that experiment.

--seeds N trains N runs at once that differ only in their seeds, and prints their mean and spread.

To train one run with several processes, start each process with --coordinator HOST:PORT
--processes N --process-id K or, under SLURM, Open MPI or on a Cloud TPU, with --coordinator auto.
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
    if words.has(arguments, seeds.OPTION):
        return seeds.run(file, arguments)
    # Imported here, because it imports JAX, which takes a second: usage errors are shown at once.
    from nnjax.cli.hosts_options import joined

    with joined(arguments[1:], f"nnjax train {name}") as rest:
        return _train(name, file, rest, script)


def _train(name: str, file: Path, rest: list[str], script: ModuleType | None) -> int:
    """Trains the experiment of a config file with the options ``rest``."""
    from nnjax.cli import compilation_cache
    from nnjax.cli.options import parse
    from nnjax.distributed.devices import use_threads
    from nnjax.runs.run import Run
    from nnjax.training.interruption import Interrupted

    compilation_cache.enable()
    module = files.load(file)
    options = parse(files.read_config(module), rest, f"nnjax train {name}")
    experiment = options.experiment
    if options.dry_run:
        from nnjax.cli.commands.summary import report

        return report(experiment)
    use_threads(experiment.training.threads)
    script = script or find_script(experiment, module)
    users_file = None if files.is_built_in(file) else file
    made = Run.create(file.stem, experiment, directory=options.run_dir, config_file=users_file)
    try:
        execute(script, experiment, made, quiet=options.quiet)
    except Interrupted:
        raise
    except Exception:
        # Options that do not fit the data, and errors in the user's file, are noticed only now:
        # remove the run if nothing was trained, so that the next attempt can use its name.
        if made.keeps and made.status == "running":
            made.remove_unused()
        raise
    return 0
