"""The code other than nnjax's own that opening a run takes: its ``config.py``, the user's modules.

The signature of that code is in ``environment.json``, as ``signature``; that of the classes in
``data.json`` is in that file. See :mod:`nnjax.runs.trust`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnjax.runs import config_json, json_files, public_names, trust

SIGNATURE = "signature"

PURPOSE = "run"


def sign(config_file: bytes | None, original: Any, saved: Any) -> str | None:
    """Returns the signature of a new run's code; None where there is no such code, or no key.

    Args:
      config_file: the content of the user's file, None where the run was made without one.
      original: the path of the user's file; what lies beside it can be imported.
      saved: the config, as ``config_json.to_json`` gives it.
    """
    names = config_json.own_names(saved)
    if config_file is None and not names:
        return None
    return trust.sign(PURPOSE, _statement(config_file, original, names))


def is_signed(config_file: Path | None, environment: Mapping[str, Any], saved: Any) -> bool:
    """Whether this user made a run with this code on this machine.

    Args:
      config_file: the run's copy of the user's file, None where there is none.
      environment: the content of ``environment.json``.
      saved: the content of ``config.json``.
    """
    content = config_file and json_files.read_bytes(config_file)
    statement = _statement(content, environment.get("config_file"), config_json.own_names(saved))
    return trust.is_signed(PURPOSE, statement, environment.get(SIGNATURE))


def describe(config_file: Path | None, names: Iterable[str]) -> list[str]:
    """Returns in words what opening a run would do.

    Args:
      config_file: the run's copy of the user's file, None where there is none.
      names: of classes and functions, as ``config_json.own_names`` gives them.
    """
    outside = [name for name in names if not name.startswith(public_names.FILE_PREFIX)]
    file = ["run its config.py"] if config_file else []
    return file + [f"import the module of {name}" for name in outside]


def signed_data(saved: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of ``data.json``, signed where it names classes of the user's own."""
    names = config_json.own_names(saved)
    return {**saved, SIGNATURE: trust.sign("data", names)} if names else saved


def is_signed_data(saved: Mapping[str, Any]) -> bool:
    """Whether this user wrote a ``data.json`` on this machine that names the same classes."""
    names = config_json.own_names(saved)
    return bool(names) and trust.is_signed("data", names, saved.get(SIGNATURE))


def _statement(config_file: bytes | None, original: Any, names: list[str]) -> dict[str, Any]:
    return {
        "config.py": trust.hash_of(config_file),
        "file": None if original is None else str(original),
        "names": names,
    }
