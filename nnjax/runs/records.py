"""The records of a run, each read by one function that checks the type of every field.

A record may be damaged, written by another program, or made by a stranger. What these functions
return has the types that the rest of nnjax relies on.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from nnjax.data.dataset import SPLITS
from nnjax.errors import UserError
from nnjax.runs import json_files

Status = Literal["running", "finished", "interrupted", "failed", "diverged", "waiting", "pruned"]

LARGEST = 2**63
"""Whole numbers are smaller: larger ones may be too large for a float."""

Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < LARGEST)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_numbers_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(number) for number in value.values())


ENVIRONMENT: dict[str, Check] = {
    "name": _is_text,
    "directory": _is_text,
    "config_file": _is_text_or_none,
}

SUMMARY: dict[str, Check] = {
    "status": lambda value: value in get_args(Status),
    **dict.fromkeys((*SPLITS, "bleu"), _is_numbers_by_name),
    **dict.fromkeys(("step", "steps", "parameters"), _is_count),
    "best_step": lambda value: value is None or _is_count(value),
    **dict.fromkeys(
        ("epochs", "seconds", "training_seconds", "compile_seconds", "examples_per_second"),
        _is_number,
    ),
}

METRICS: dict[str, Check] = {"step": _is_count, "epoch": _is_number, "split": _is_text}
"""Every other field of a record of ``metrics.jsonl`` is a metric: a number."""


def read_environment(path: Path) -> dict[str, Any]:
    """Reads ``environment.json``; empty where the file is missing or damaged.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import records
      >>> records.read_environment(Path("nowhere.json"))
      {}
    """
    saved = json_files.read_or_nothing(path)
    return {} if _wrong_field(saved, ENVIRONMENT) else saved


def read_summary(path: Path) -> dict[str, Any]:
    """Reads ``summary.json``; empty where the file is missing or damaged.

    Numbers that are not finite are floats again.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import records
      >>> file = Path(tempfile.mkdtemp()) / "summary.json"
      >>> _ = file.write_text('{"status": "finished", "test": {"loss": "NaN"}}')
      >>> records.read_summary(file)
      {'status': 'finished', 'test': {'loss': nan}}
    """
    saved = json_files.restore_floats(json_files.read_or_nothing(path))
    if _wrong_field(saved, SUMMARY):
        return {}
    # The step of the best parameters is shown as a part of all steps.
    if saved.get("best_step") is not None and not saved.get("steps"):
        return {}
    if saved.get("status") == "diverged" and "step" not in saved:
        return {}
    return saved


def read_script_status(path: Path) -> str | None:
    """Reads from ``script.json`` whether the script is "running" or has "ended"; None without one.

    Raises:
      UserError: the file is damaged.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs import records
      >>> records.read_script_status(Path("nowhere.json"))
    """
    if not path.exists():
        return None
    status = json_files.read(path).get("status")
    if status not in ("running", "ended"):
        raise UserError(f"{path} is damaged: its status is {status!r}; remove that file")
    return status


def check_metrics(record: Mapping[str, Any]) -> None:
    """Checks a record of ``metrics.jsonl``: ``step``, ``epoch``, ``split`` and the metrics.

    Raises:
      ValueError: a field has another type.

    Example:
      >>> from nnjax.runs import records
      >>> records.check_metrics({"step": 3, "epoch": 0.5, "split": "train", "loss": 0.7})
      >>> records.check_metrics({"step": "three"})
      Traceback (most recent call last):
      ValueError: its step is 'three'
    """
    metrics = dict.fromkeys(record, _is_number)
    if name := _wrong_field(record, metrics | METRICS):
        raise ValueError(f"its {name} is {record[name]!r:.60}")


def check_timings(record: Mapping[str, Any]) -> None:
    """Checks a record of ``timings.jsonl``: every field is a number.

    Raises:
      ValueError: a field has another type.

    Example:
      >>> from nnjax.runs import records
      >>> records.check_timings({"step": 3, "seconds": 0.5})
    """
    if name := _wrong_field(record, dict.fromkeys(record, _is_number)):
        raise ValueError(f"its {name} is {record[name]!r:.60}")


def _wrong_field(record: Mapping[str, Any], checks: Mapping[str, Check]) -> str | None:
    """The first field of another type than it should have; None where all are right."""
    for name, is_right in checks.items():
        if name in record and not is_right(record[name]):
            return name
    return None
