"""Finds the script that runs an experiment, and runs it.

A script trains, then draws figures or measures translations. ``script.json`` in the run directory
records whether the script ran to its end.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from nnjax.cli import files
from nnjax.errors import UserError, choose

RECORD = "script.json"

TIMES = ("seconds", "training_seconds", "compile_seconds", "examples_per_second")
"""Entries of a summary that a resumed script must not overwrite: times of the training."""


def execute(
    script: ModuleType, experiment: Any, run: Any, *, resume: bool = False, quiet: bool = False
) -> None:
    """Runs the script's ``main``; a signal at any time ends it with a sentence.

    Args:
      script: a module with a ``main``.
      experiment: the experiment to run.
      run: the run directory.
      resume: whether to go on from the newest checkpoint; of a finished run, only the steps after
        training are run.
      quiet: whether to show nothing but errors and the last table.

    Raises:
      Interrupted: a signal asked the process to stop.
      UserError: another process is training the run.
    """
    from nnjax.training import interruption

    def hint() -> str:
        if run.status == "finished":
            if has_ended(run):
                return f"stopped; the run {run.directory} is finished"
            return (
                f"stopped; the run {run.directory} is finished, but for its figures; draw them "
                f"with: {run.resume_command}"
            )
        return f"stopped; go on with: {run.resume_command}"

    with interruption.raising(hint), run.locked(), _on_record(run):
        script.main(experiment, run, resume=resume, quiet=quiet)


def has_ended(run: Any) -> bool:
    """Whether the script of a finished run has nothing left to do.

    A run without ``script.json``, as ``fit`` alone makes, has ended if it has figures.

    Raises:
      UserError: the record is damaged.
    """
    from nnjax.runs import records

    if (status := records.read_script_status(run.directory / RECORD)) is not None:
        return status == "ended"
    return run.figures.is_dir() and any(run.figures.iterdir())


@contextmanager
def _on_record(run: Any) -> Iterator[None]:
    """Records in ``script.json`` that the script began, and that it ran to its end."""
    from nnjax.runs import json_files

    if not run.keeps:
        yield
        return
    record: Path = run.directory / RECORD
    before = run.read_summary()
    json_files.write(record, {"status": "running"})
    try:
        yield
    except BaseException:
        # The record is of use for finished runs only, and would keep an unused run on the disk.
        if run.status != "finished":
            record.unlink(missing_ok=True)
        raise
    _keep_times(run, before)
    json_files.write(record, {"status": "ended"})


def _keep_times(run: Any, before: Mapping[str, Any]) -> None:
    """Restores the times of the training in the summary of a run that had finished before."""
    if before.get("status") == "finished":
        kept = {name: before[name] for name in TIMES if name in before}
        run.write_summary(run.read_summary() | kept)


def find_script(experiment: Any, module: ModuleType | None) -> ModuleType:
    """Returns the module whose ``main`` runs the experiment: the config file, if it has a ``main``.

    Raises:
      UserError: ``main`` has other parameters, or the experiment names no script of
        ``experiments/``.
    """
    if module is not None and hasattr(module, "main"):
        _check_main(module)
        return module
    # Only nnjax's own: a config.json that somebody sent must not choose the file that runs.
    scripts = {file.stem: file for file in files.folder("experiments").glob("*.py")}
    return files.load(choose("experiment script", experiment.script, scripts))


def _check_main(module: ModuleType) -> None:
    """Raises a UserError for a ``main`` with other parameters, before anything is trained."""
    try:
        inspect.signature(module.main).bind(None, None, resume=False, quiet=False)
    except TypeError as error:
        raise UserError(
            f"{module.__file__} defines a main that cannot be called as main(experiment, run, "
            f"resume=..., quiet=...): {error}"
        ) from error
