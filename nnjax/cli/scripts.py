"""Experiment scripts: which one runs an experiment, and running it."""

import inspect
from types import ModuleType
from typing import Any

from nnjax.cli import files
from nnjax.errors import UserError


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
