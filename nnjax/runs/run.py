"""Run directories: what an experiment leaves behind, and where everything after it begins.

``runs/<name>/<time>-<id>/`` holds

* ``config.json``: the config, see :mod:`nnjax.runs.config_json`;
* ``config.py``: the file that the config came from, where that is the user's own;
* ``data.json``: what is known of the data, see :mod:`nnjax.runs.data_json`;
* ``environment.json``: versions, devices, seed, git revision, command line;
* ``metrics.jsonl``: a record a line, nothing in it that differs from one execution to the next, so
  that a run resumed after a kill ends with the same bytes as one never stopped;
* ``timings.jsonl``: what does differ, such as seconds;
* ``summary.json``: the status and the final metrics;
* ``script.json``: whether the script, which also draws the figures, came to its end;
* ``checkpoints/``, ``figures/``, ``tensorboard/``;
* ``samples/``: what a model that writes text wrote while it was trained.
"""

import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from nnjax.data.dataset import Dataset, Spec, Stream
from nnjax.distributed import collectives
from nnjax.errors import UserError
from nnjax.runs import config_json, data_json, environment, json_files, own_code, trust
from nnjax.runs.json_lines import JsonLines

Status = Literal["running", "finished", "interrupted", "failed", "diverged", "waiting", "pruned"]

CONFIG = "config.json"
CONFIG_FILE = "config.py"
DATA = "data.json"
ENVIRONMENT = "environment.json"
SUMMARY = "summary.json"
FOLDERS = ("checkpoints", "figures", "tensorboard")


class Run:
    """A run directory.

    Attributes:
      directory: its path.
      name: the name of the experiment.
      checkpoints: the directory of the checkpoints.
      figures: the directory of the figures.
      tensorboard: the directory of the TensorBoard events.
      keeps: whether this process writes the run; of several that make one, the first does.
    """

    keeps = True

    def __init__(self, directory: Path, name: str):
        """Takes a directory that is a run already; see ``create`` and ``open``."""
        self.directory = directory
        self.name = name
        self._trust = False
        self.checkpoints, self.figures, self.tensorboard = (directory / f for f in FOLDERS)
        self._metrics = JsonLines(directory / "metrics.jsonl")
        self._timings = JsonLines(directory / "timings.jsonl")

    @classmethod
    def create(
        cls,
        name: str,
        config: Any,
        *,
        directory: Path | None = None,
        root: Path = Path("runs"),
        config_file: Path | None = None,
        original: Path | None = None,
    ) -> "Run":
        """Makes a run directory; where several processes make one run, the first makes it.

        Args:
          name: of the experiment.
          config: a dataclass, such as an ``Experiment``; ``config.training.seed``, where there is
            one, is put on record.
          directory: the run directory, empty or not there yet; None makes
            ``<root>/<name>/<YYYYmmdd-HHMMSS>-<6 hex digits>/``.
          root: holds all runs.
          config_file: the user's own file that the config came from, to be kept with the run.
          original: the file that this one is itself a copy of.

        Raises:
          UserError: the directory holds something already, the disk is full or read-only, or the
            config cannot be saved; of several processes, one has other options or does not see the
            directory.
        """
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        chosen = Path(root) / name / stamp if directory is None else Path(directory)
        data = config_json.to_json(config)
        if not collectives.several():
            return cls._make(name, config, data, chosen, config_file, original)
        _check_same_config(data)
        shared = Path(collectives.by_first(lambda: str(chosen.absolute())))
        collectives.by_first(
            lambda: cls._make(name, config, data, shared, config_file, original).directory.is_dir()
        )
        collectives.together(lambda: _check_seen(shared))
        return (cls if collectives.is_first() else Followed)(shared, name)

    @classmethod
    def _make(
        cls,
        name: str,
        config: Any,
        data: dict[str, Any],
        directory: Path,
        config_file: Path | None,
        original: Path | None,
    ) -> "Run":
        _check_free(directory, data, config_file)
        run = cls(directory, name)
        try:
            run._write(config, data, config_file, original)
        except UserError:
            # What an aborted attempt leaves must not be in the way of the next.
            run.remove_unused()
            raise
        return run

    def _write(
        self,
        config: Any,
        data: dict[str, Any],
        config_file: Path | None,
        original: Path | None,
    ) -> None:
        """Fills the new directory."""
        source = original or config_file
        recorded = source and str(Path(source).absolute())
        with json_files.disk_errors(self.directory):
            for folder in (self.checkpoints, self.figures, self.tensorboard):
                folder.mkdir(parents=True, exist_ok=True)
            copied = config_file and Path(config_file).read_bytes()
        described = {
            "name": self.name,
            "seed": getattr(getattr(config, "training", None), "seed", None),
            "config_file": recorded,
            own_code.SIGNATURE: own_code.sign(copied, recorded, data),
            **environment.describe(),
        }
        json_files.write(self.directory / ENVIRONMENT, described)
        self.write_summary({"status": "running"})
        if copied is not None:
            json_files.replace(self.directory / CONFIG_FILE, copied)
        # Last, as a directory with a config is a run.
        json_files.write(self.directory / CONFIG, data)

    @classmethod
    def open(cls, directory: Path, *, trust: bool = False) -> "Run":
        """Opens a run by its directory, by a path inside it, or by ``runs/<name>``: the newest.

        Args:
          directory: the path.
          trust: whether the code that the run needs may run although this user did not make the
            run on this machine.

        Raises:
          UserError: there is no run.
        """
        if not collectives.several():
            run = cls._open(Path(directory))
        else:
            found = collectives.by_first(lambda: str(_find(Path(directory)).absolute()))
            kind = cls if collectives.is_first() else Followed
            run = collectives.together(lambda: kind._open(Path(found)))
        run._trust = trust
        return run

    @classmethod
    def _open(cls, directory: Path) -> "Run":
        directory = _find(directory)
        name = json_files.read_or_nothing(directory / ENVIRONMENT).get("name")
        return cls(directory, name or directory.absolute().parent.name)

    def check_trust(self) -> None:
        """Checks that the code which the run needs may run.

        Raises:
          UserError: this user did not make the run on this machine, and did not say ``trust``.
        """
        saved = json_files.read(self.directory / CONFIG)
        self._check_code(saved, own_code.describe(self.config_file, config_json.own_names(saved)))

    def _check_code(self, saved: Any, code: list[str]) -> None:
        is_ours = own_code.is_signed(self.config_file, self.environment, saved)
        trust.check(self.directory, code, is_ours=is_ours, trust=self._trust)

    def read_config(self, modules: Mapping[str, ModuleType] | None = None) -> Any:
        """The config that the run was made with.

        Args:
          modules: modules already loaded, by name, for classes and functions of the user's own.

        Raises:
          UserError: the config is damaged, or names classes that are not there; or it names classes
            of other modules, and this user did not make the run on this machine.
        """
        path = self.directory / CONFIG
        saved, modules = json_files.read(path), modules or {}
        try:
            missing = config_json.own_names(saved, modules)
            self._check_code(saved, own_code.describe(None, missing))
            return config_json.from_json(saved, modules, trust=bool(missing))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    @property
    def config_file(self) -> Path | None:
        """The run's copy of the user's own config file; None where nnjax's own was used."""
        path = self.directory / CONFIG_FILE
        environment = self.environment
        # A file that was put into a run of nnjax's own experiments later does not belong to it.
        belongs = not environment or environment.get("config_file") is not None
        return path if belongs and path.is_file() else None

    @property
    def environment(self) -> dict[str, Any]:
        """What ``environment.json`` says; nothing where it is missing or damaged."""
        return json_files.read_or_nothing(self.directory / ENVIRONMENT)

    # Data

    def record_data(self, data: Dataset | Stream) -> None:
        """Writes down what the data is; where that was done before, checks that it still is.

        Raises:
          UserError: the data is not what the run began with; the disk is full or read-only.
        """
        saved = self.read_data()
        if saved is None:
            json_files.write(self.directory / DATA, own_code.signed_data(data_json.to_json(data)))
        else:
            data_json.check_same(saved, data, sizes=True)

    def read_data(self) -> Spec | None:
        """What the run knows of its data; None where nothing was written down yet.

        Raises:
          UserError: the file is damaged.
        """
        path = self.directory / DATA
        if not path.is_file():
            return None
        remedy = "remove that file: a run that goes on writes it anew"
        try:
            saved = json_files.read(path)
        except UserError as error:
            raise UserError(f"{error}; {remedy}") from error
        try:
            trusts = self._trust or own_code.is_signed_data(saved)
            return data_json.from_json(saved, trust=trusts)
        except UserError as error:
            raise UserError(f"{path}: {error}; {remedy}") from error

    # Records

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
        return self._metrics.read()

    def read_timings(self) -> list[dict[str, Any]]:
        """Every whole record of ``timings.jsonl``, in order."""
        return self._timings.read()

    def truncate_metrics(self, step: int) -> None:
        """Drops the records of later steps than ``step`` and what was not written to its end.

        Raises:
          UserError: the disk is full or read-only.
        """
        self._metrics.keep(lambda record: record.get("step", 0) <= step)

    # Samples

    def write_sample(self, step: int, text: str) -> None:
        """Keeps a text that the model wrote at a step, as ``samples/STEP.txt``.

        Raises:
          UserError: the disk is full or read-only.
        """
        folder = self.directory / "samples"
        with json_files.disk_errors(folder):
            folder.mkdir(exist_ok=True)
        json_files.replace(folder / f"{step}.txt", text.encode())

    # Summary

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes ``summary.json``; ``summary["status"]`` is a :data:`Status`.

        Raises:
          UserError: the disk is full or read-only.
        """
        json_files.write(self.directory / SUMMARY, summary)

    def read_summary(self) -> dict[str, Any]:
        """What ``summary.json`` says; nothing where it is missing or damaged.

        Numbers that are not finite are floats again.
        """
        return json_files.restore_floats(json_files.read_or_nothing(self.directory / SUMMARY))

    @property
    def status(self) -> Status:
        """How the run stands; a killed one still says "running"."""
        return self.read_summary().get("status", "running")

    def remove_unused(self) -> None:
        """Deletes the run where nothing has come of it: no record, no checkpoint, no figure."""
        if _is_skeleton(self.directory, besides=(CONFIG,)):
            self.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def close(self) -> None:
        """Closes the files of records; they open again when needed."""
        self._metrics.close()
        self._timings.close()


class Followed(Run):
    """A run that another process keeps: what is written here goes nowhere, what is read is its."""

    keeps = False

    def record_data(self, data: Dataset | Stream) -> None:
        """Leaves it to the first process."""

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Leaves it to the first process."""

    def append_timings(self, record: Mapping[str, Any]) -> None:
        """Leaves it to the first process."""

    def truncate_metrics(self, step: int) -> None:
        """Leaves it to the first process."""

    def write_sample(self, step: int, text: str) -> None:
        """Leaves it to the first process."""

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Leaves it to the first process."""

    def remove_unused(self) -> None:
        """Leaves it to the first process."""


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


# Several processes -------------------------------------------------------------------------------


def _check_same_config(data: dict[str, Any]) -> None:
    """Raises a UserError, at all processes, where they were started with different options."""
    configs = collectives.gather(data)
    for process, other in enumerate(configs):
        names = ("at process 0", f"at process {process}")
        differing = list(_differences(configs[0], other, names=names))
        if differing:
            raise UserError(
                f"the processes have different options ({', '.join(differing[:3])}); start all "
                "with the same"
            )


def _check_seen(directory: Path) -> None:
    """Raises a UserError where this process does not see the run that the first one made."""
    if not (directory / CONFIG).is_file():
        raise UserError(
            f"the run directory {directory} that process 0 made is not here; choose a --run-dir on "
            "a file system that all hosts share"
        )


# Room for a new run ------------------------------------------------------------------------------


def _check_free(directory: Path, data: dict[str, Any], config_file: Path | None) -> None:
    """Raises a UserError where a directory cannot take a new run of the config ``data``."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"the run directory {directory} is a file; choose another --run-dir")
    if not (directory / CONFIG).is_file():
        if _is_skeleton(directory):
            return
        raise UserError(
            f"{directory} is not empty and holds no run; choose another --run-dir or empty it"
        )
    differing = list(_differences(json_files.read(directory / CONFIG), data))
    if not differing and not _is_copy(directory / CONFIG_FILE, config_file):
        raise UserError(
            f"{directory} holds a run of {config_file} as it was before, which `nnjax resume "
            f"{directory}` goes on with; copy the file over {directory / CONFIG_FILE} first, or "
            "choose another --run-dir"
        )
    if not differing:
        raise UserError(
            f"{directory} holds a run of this config already; go on with it by "
            f"`nnjax resume {directory}`, or choose another --run-dir"
        )
    shown = ", ".join(differing[:3]) + (f" and {len(differing) - 3} more" * (len(differing) > 3))
    raise UserError(
        f"{directory} holds a run of another config ({shown}); choose another --run-dir"
    )


def _is_copy(copy: Path, config_file: Path | None) -> bool:
    """Whether a run's copy of the user's file, where there are both, is what the file is now."""
    if config_file is None or not copy.is_file():
        return True
    return copy.read_bytes() == config_file.read_bytes()


def _is_skeleton(directory: Path, besides: tuple[str, ...] = ()) -> bool:
    """Whether a directory is missing, empty, or holds only what a killed ``Run.create`` leaves.

    Args:
      directory: the directory.
      besides: names of more files that it may hold.
    """
    inside = list(directory.iterdir()) if directory.is_dir() else []
    written = (ENVIRONMENT, SUMMARY, CONFIG_FILE, DATA)
    return all(
        path.name in (*written, *besides)
        # What is written is first a hidden file of the same name.
        or path.name.startswith(tuple(f".{name}." for name in (*written, CONFIG)))
        or (path.name in FOLDERS and path.is_dir() and not any(path.iterdir()))
        for path in inside
    )


def _differences(
    old: Any, new: Any, path: str = "", names: tuple[str, str] = ("there", "here")
) -> Iterator[str]:
    """What differs between two saved configs, each as "field: old there, new here"."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{path}: {json.dumps(old)} {names[0]}, {json.dumps(new)} {names[1]}"
        return
    for name in sorted(old.keys() | new.keys()):
        inner = f"{path}.{name}" if path else name
        yield from _differences(old.get(name), new.get(name), inner, names)
