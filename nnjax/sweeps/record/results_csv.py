"""The results of a sweep as a CSV file: a line for each trial, numbers exact."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnjax.errors import UserError
from nnjax.sweeps.record.results import Result, paths

HEAD = ("number", "state", "reason", "program")
FACTS = ("seconds", "steps", "best_step")
DIRECTORY = "directory"


def write_csv(found: Sequence[Result], file: Path) -> Path:
    """Writes the results, in the order of the trials' numbers, making the file's folder.

    The columns: ``number``, ``state``, ``reason``, ``program``, each field that was swept by its
    dotted path, each final metric as ``validation_accuracy``, ``seconds``, ``steps``,
    ``best_step``, ``directory``. A cell without a value is empty. A column whose name is that of a
    swept field, as ``steps`` may be, is named ``run_steps``.

    Returns:
      The file.

    Raises:
      UserError: the disk is full or read-only.
    """
    fields = paths(found)
    metrics = list(dict.fromkeys(name for one in found for name in one.metrics))
    names = [
        *(_apart(name, fields) for name in HEAD),
        *fields,
        *(_apart(name, fields) for name in (*metrics, *FACTS, DIRECTORY)),
    ]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines)
            writer.writerow(names)
            for one in sorted(found, key=lambda one: one.number):
                writer.writerow(_line(one, fields, metrics))
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from error
    return file


def _apart(name: str, fields: Sequence[str]) -> str:
    return f"run_{name}" if name in fields else name


def _line(one: Result, fields: Sequence[str], metrics: Sequence[str]) -> list[Any]:
    # A run that ended early has "step" instead of "steps".
    facts = {"steps": one.summary.get("step"), **one.summary}
    return [
        one.number,
        one.state,
        one.reason,
        one.program,
        *(one.labels.get(path) for path in fields),
        *(one.metrics.get(name) for name in metrics),
        *(facts.get(name) for name in FACTS),
        one.directory,
    ]
