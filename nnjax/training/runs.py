"""Run directories: what an experiment leaves behind, and where everything after it begins.

``runs/<name>/<time>-<id>/`` holds

* ``config.json``: the config, see :mod:`nnjax.training.config_json`;
* ``environment.json``: versions, devices, seed, git revision, command line;
* ``metrics.jsonl``: a record a line, nothing in it that differs from one execution to the next, so
  that a run resumed after a kill ends with the same bytes as one never stopped;
* ``timings.jsonl``: what does differ, such as seconds;
* ``summary.json``: the status and the final metrics;
* ``checkpoints/``, ``figures/``, ``tensorboard/``.

Numbers are written as Python's ``repr``, which reads back exactly. JSON has no NaN or infinity:
they are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

import functools
import io
import json
import math
import os
import platform
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import jax

import nnjax
from nnjax.errors import UserError
from nnjax.training import config_json

Status = Literal["running", "finished", "interrupted", "failed", "diverged"]

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
CONFIG = "config.json"
SUMMARY = "summary.json"


class Run:
    """A run directory.

    Attributes:
      directory: its path.
      name: the name of the experiment.
      checkpoints: the directory of the checkpoints.
      figures: the directory of the figures.
      tensorboard: the directory of the TensorBoard events.
    """

    def __init__(self, directory: Path, name: str):
        """Takes a directory that is a run already; see ``create``, ``create_at`` and ``open``."""
        self.directory = directory
        self.name = name
        self.checkpoints = directory / "checkpoints"
        self.figures = directory / "figures"
        self.tensorboard = directory / "tensorboard"
        self._metrics = _Lines(directory / "metrics.jsonl")
        self._timings = _Lines(directory / "timings.jsonl")

    @classmethod
    def create(
        cls, name: str, config: Any, root: Path = Path("runs"), *, seed: int | None = None
    ) -> "Run":
        """Makes ``<root>/<name>/<YYYYmmdd-HHMMSS>-<6 hex digits>/``.

        Args:
          name: of the experiment.
          config: a dataclass, such as an ``Experiment``.
          root: holds all runs.
          seed: for the record; None takes ``config.training.seed``.

        Raises:
          UserError: the disk is full or read-only, or the config cannot be saved.
        """
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        return cls.create_at(Path(root) / name / stamp, name, config, seed=seed)

    @classmethod
    def create_at(
        cls, directory: Path, name: str, config: Any, *, seed: int | None = None
    ) -> "Run":
        """Makes a run in a directory of your choice; arguments as in :meth:`create`.

        Raises:
          UserError: the directory holds something already, the disk is full or read-only, or the
            config cannot be saved.
        """
        directory = Path(directory)
        data = config_json.to_json(config)
        _check_free(directory, data)
        run = cls(directory, name)
        with _disk_errors(directory):
            for folder in (run.checkpoints, run.figures, run.tensorboard):
                folder.mkdir(parents=True, exist_ok=True)
        if seed is None:
            seed = getattr(getattr(config, "training", None), "seed", None)
        _write_json(directory / "environment.json", _environment(name, seed))
        run.write_summary({"status": "running"})
        # Last, as a directory with a config is a run.
        _write_json(directory / CONFIG, data)
        return run

    @classmethod
    def open(cls, directory: Path) -> "Run":
        """Opens a run by its directory, by a path inside it, or by ``runs/<name>``: the newest.

        Raises:
          UserError: there is no run.
        """
        directory = _find(Path(directory))
        name = _read_json(directory / "environment.json").get("name", directory.parent.name)
        return cls(directory, name)

    def read_config(self, modules: Mapping[str, ModuleType] | None = None) -> Any:
        """The config that the run was made with.

        Args:
          modules: as in :func:`nnjax.training.config_json.from_json`.

        Raises:
          UserError: it is damaged, or names classes that are not there.
        """
        path = self.directory / CONFIG
        try:
            return config_json.from_json(_read_json(path), modules)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    @property
    def environment(self) -> dict[str, Any]:
        """What ``environment.json`` says."""
        return _read_json(self.directory / "environment.json")

    # Records -------------------------------------------------------------------------------------

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Appends a record: ``step``, ``epoch``, ``split`` and the metrics; nothing of the clock.

        It is with the operating system when this returns: a killed process loses nothing.

        Raises:
          UserError: the disk is full or read-only.
        """
        self._metrics.append(record)

    def append_timings(self, record: Mapping[str, Any]) -> None:
        """Appends a record of times, speeds and the like.

        Raises:
          UserError: the disk is full or read-only.
        """
        self._timings.append(record)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every whole record of ``metrics.jsonl``, in order."""
        return [record for _, record in self._metrics.read()]

    def read_timings(self) -> list[dict[str, Any]]:
        """Every whole record of ``timings.jsonl``, in order."""
        return [record for _, record in self._timings.read()]

    def truncate_metrics(self, step: int) -> None:
        """Drops the records of later steps than ``step`` and what was not written to its end.

        Raises:
          UserError: the disk is full or read-only.
        """
        self._metrics.keep(lambda record: record.get("step", 0) <= step)

    # Summary -------------------------------------------------------------------------------------

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes ``summary.json``; ``summary["status"]`` is a :data:`Status`.

        Raises:
          UserError: the disk is full or read-only.
        """
        _write_json(self.directory / SUMMARY, summary)

    def read_summary(self) -> dict[str, Any]:
        """What ``summary.json`` says; numbers that are not finite are floats again."""
        return _restore_floats(_read_json(self.directory / SUMMARY))

    @property
    def status(self) -> Status:
        """How the run stands; a killed one still says "running"."""
        return self.read_summary().get("status", "running")

    def close(self) -> None:
        """Closes the files of records; they open again when needed."""
        self._metrics.close()
        self._timings.close()


# Finding runs ------------------------------------------------------------------------------------


def _find(path: Path) -> Path:
    """The run directory that a path means."""
    for candidate in (path, *path.absolute().parents):
        if (candidate / CONFIG).is_file():
            return candidate
    if not path.exists():
        raise UserError(f"there is no run {path}: no such file or directory")
    runs = [config.parent for config in path.glob(f"*/{CONFIG}")] if path.is_dir() else []
    if not runs:
        raise UserError(f"{path} is no run directory: it has no {CONFIG}")
    # Names begin with the time they were made; runs of one second, or named by hand, by their age.
    return max(runs, key=lambda run: (run / CONFIG).stat().st_mtime_ns)


def _check_free(directory: Path, data: dict[str, Any]) -> None:
    """Raises a UserError where a directory cannot take a new run of the config ``data``."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"the run directory {directory} is a file; choose another --run-dir")
    if not directory.is_dir() or not any(directory.iterdir()):
        return
    if not (directory / CONFIG).is_file():
        raise UserError(
            f"{directory} is not empty and holds no run; choose another --run-dir or empty it"
        )
    differing = list(_differences(_read_json(directory / CONFIG), data))
    if not differing:
        raise UserError(
            f"{directory} holds a run of this config already; go on with it by "
            f"`nnjax resume {directory}`, or choose another --run-dir"
        )
    shown = ", ".join(differing[:3]) + (f" and {len(differing) - 3} more" * (len(differing) > 3))
    raise UserError(
        f"{directory} holds a run of another config ({shown}); choose another --run-dir"
    )


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """What differs between two saved configs, each as "field: old there, new here"."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{path}: {json.dumps(old)} there, {json.dumps(new)} here"
        return
    for name in old.keys() | new.keys():
        inner = f"{path}.{name}" if path else name
        yield from sorted(_differences(old.get(name), new.get(name), inner))


# Files -------------------------------------------------------------------------------------------


class _Lines:
    """A file of JSON records, one a line."""

    def __init__(self, path: Path):
        self.path = path
        self._file: io.FileIO | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Appends a record, in one write where the disk allows."""
        line = memoryview(json.dumps(_plain(record), allow_nan=False).encode() + b"\n")
        with _disk_errors(self.path):
            if self._file is None:
                self._file = self._open()
            while line:
                line = line[self._file.write(line) :]

    def _open(self) -> io.FileIO:
        """The file, ending with a whole line."""
        # Unbuffered: a write is microseconds, and a buffer would die with the process.
        file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        if file.tell() and not self.path.read_bytes().endswith(b"\n"):
            file.write(b"\n")
        return file

    def read(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each whole record, with its line as it stands."""
        content = self.path.read_bytes() if self.path.exists() else b""
        for line in content.splitlines(keepends=True):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                continue
            if isinstance(record, dict):
                yield line, _restore_floats(record)

    def keep(self, wanted: Any) -> None:
        """Rewrites the file with the whole records that are wanted."""
        self.close()
        kept = b"".join(line for line, record in self.read() if wanted(record))
        if self.path.exists() and kept != self.path.read_bytes():
            _write(self.path, kept)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_json(path: Path, data: Any) -> None:
    _write(path, json.dumps(_plain(data), indent=2, allow_nan=False).encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with _disk_errors(path):
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


def _read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON file.

    Raises:
      UserError: it is missing or damaged.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object")
    return data


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turns a full or read-only disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; make room or choose another --run-dir "
            "(what was saved before is intact)"
        ) from error


def _plain(value: Any) -> Any:
    """Numbers of NumPy and JAX as Python's, and those that are not finite as strings."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value) if isinstance(value, Path) else value


def _restore_floats(value: Any) -> Any:
    """Undoes what :func:`_plain` did to numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _restore_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore_floats(item) for item in value]
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


# Environment -------------------------------------------------------------------------------------


def _environment(name: str, seed: int | None) -> dict[str, Any]:
    """What a run needs to be understood later."""
    devices = jax.devices()
    return {
        "name": name,
        "command": shlex.join(sys.argv),
        "directory": os.getcwd(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": seed,
        "versions": _versions(),
        "platform": platform.platform(),
        "backend": devices[0].platform,
        "devices": [device.device_kind for device in devices],
        "git": _git(),
    }


@functools.cache
def _versions() -> dict[str, str]:
    installed = {library: metadata.version(library) for library in LIBRARIES}
    return {"nnjax": nnjax.__version__, "python": platform.python_version(), **installed}


def _git() -> dict[str, Any] | None:
    """Revision of the work tree that the current directory is in, and whether it was changed."""

    def ask(*question: str) -> str:
        command = ["git", *question]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip()

    try:
        return {
            "revision": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--untracked-files=no")),
        }
    # No git, no work tree, no commit yet, or a disk too slow to wait for.
    except (OSError, subprocess.SubprocessError):
        return None
