"""``nnjax train CONFIG``: trains an experiment, by name or from a file."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from nnjax.cli import files
from nnjax.errors import UserError

USAGE = """usage: nnjax train CONFIG [OPTIONS]

CONFIG is a name from 'nnjax list' or the path of a Python file that defines `config`, an
Experiment. 'nnjax train CONFIG --help' lists the options, which are the fields of that experiment.
"""


def run(arguments: list[str], script: ModuleType | None = None) -> int:
    """Parses the command line, makes the run directory and runs the experiment's script.

    Args:
      arguments: the config's name, then options.
      script: the experiment script to run; None takes the one that the config names.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    _warm_up()
    name, rest = arguments[0], arguments[1:]
    module = files.load(files.find_config(name))
    config = read_config(module)
    # Imported here: options and scripts need JAX, which takes a second.
    from nnjax.cli.options import parse
    from nnjax.training.runs import Run

    options = parse(config, rest, f"nnjax train {name}")
    if options.dry_run:
        from nnjax.cli.summary_command import report

        return report(options.experiment)
    title = Path(name).stem
    source = Path(module.__file__ or "")
    run = Run.create(title, options.experiment, directory=options.run_dir, config_file=source)
    script = script or find_script(options.experiment, module)
    script.main(options.experiment, run, quiet=options.quiet)
    return 0


def read_config(module: ModuleType) -> Any:
    """The ``config`` of a config file.

    Raises:
      UserError: the file defines none, or something else by that name.
    """
    from nnjax.training.experiment import Experiment

    config = getattr(module, "config", None)
    if not isinstance(config, Experiment):
        found = "no config" if config is None else f"a config of type {type(config).__name__}"
        raise UserError(f"{module.__file__} defines {found}; it must define config = Experiment(...)")
    return config


def find_script(experiment: Any, module: ModuleType | None) -> ModuleType:
    """The module whose ``main`` runs the experiment: the config file itself where it has one."""
    if module is not None and hasattr(module, "main"):
        return module
    return files.load(files.folder("experiments") / f"{experiment.script}.py")


def _warm_up() -> None:
    """Begins the slow imports in the background, while this thread reads the config."""
    from nnjax.training import checkpoints

    checkpoints.import_in_background()
    importlib.import_module("jax")
