"""Run directories: everything that an experiment saves, and where every later command begins.

``runs/<name>/<time>-<id>/`` holds

* ``config.json``: the config, see :mod:`nnjax.runs.config_json`;
* ``config.py``: the file that the config came from, where that is the user's own;
* ``data.json``: a description of the data, see :mod:`nnjax.runs.data_json`;
* ``environment.json``: versions, devices, seed, git revision, command line;
* ``metrics.jsonl``: a record a line, without anything that differs from one execution to the next,
  so that a run resumed after a kill ends with the same bytes as one never stopped;
* ``timings.jsonl``: the quantities that do differ, such as seconds;
* ``summary.json``: the status and the final metrics;
* ``script.json``: whether the script, which also draws the figures, came to its end;
* ``training.lock``: while a process trains the run, see :mod:`nnjax.runs.lock`;
* ``checkpoints/``, ``figures/``, ``tensorboard/``;
* ``samples/``: the texts that a language model generated while it was trained.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from nnjax.data.dataset import Dataset, Spec, Stream
from nnjax.distributed import collectives
from nnjax.errors import UserError
from nnjax.runs import (
    config_json,
    data_json,
    environment,
    json_files,
    new_directory,
    own_code,
    records,
    trust,
)
from nnjax.runs.json_lines import JsonLines
from nnjax.runs.lock import Lock
from nnjax.runs.new_directory import (
    CONFIG,
    CONFIG_FILE,
    DATA,
    ENVIRONMENT,
    FOLDERS,
    SUMMARY,
    resume_command,
)
from nnjax.runs.records import Status

__all__ = ["CONFIG", "CONFIG_FILE", "ENVIRONMENT", "SUMMARY", "Followed", "Run", "Status"]


class Run:
    """A run directory.

    Attributes:
      directory: its path.
      name: the name of the experiment.
      checkpoints: the directory of the checkpoints.
      figures: the directory of the figures.
      tensorboard: the directory of the TensorBoard events.
      keeps: whether this process writes the run; of several that make one run, rank 0 does.

    Example:
      >>> import tempfile
      >>> from pathlib import Path
      >>> from nnjax.runs import Run
      >>> from nnjax.training import Training
      >>> run = Run.create("mine", Training(steps=5), root=Path(tempfile.mkdtemp()))
      >>> run.append_metrics({"step": 5, "epoch": 1.0, "split": "train", "loss": 0.7})
      >>> run.close()
      >>> Run.open(run.directory).read_metrics()
      [{'step': 5, 'epoch': 1.0, 'split': 'train', 'loss': 0.7}]
    """

    keeps = True

    def __init__(self, directory: Path, name: str):
        """Takes a directory that is a run already; see ``create`` and ``open``."""
        self.directory = directory
        self.name = name
        self._trust = False
        self.checkpoints, self.figures, self.tensorboard = (directory / f for f in FOLDERS)
        self._metrics = JsonLines(directory / "metrics.jsonl", records.check_metrics)
        self._timings = JsonLines(directory / "timings.jsonl", records.check_timings)
        self._lock = Lock(directory)
        self._times_locked = 0

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
        """Makes a run directory; where several processes make one run, rank 0 makes it.

        Args:
          name: of the experiment.
          config: a dataclass, such as an ``Experiment``; ``config.training.seed``, where there is
            one, is put on record.
          directory: the run directory, empty or not there yet; None makes
            ``<root>/<name>/<YYYYmmdd-HHMMSS>-<6 hex digits>/``.
          root: holds all runs.
          config_file: the user's own file that the config came from, to be copied into the run.
          original: the file that ``config_file`` is itself a copy of.

        Raises:
          UserError: the directory holds something already, checkpoints cannot be saved in a
            directory of that name, the disk is full or read-only, or the config cannot be saved;
            of several processes, one has other options or does not see the directory.
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
        new_directory.check(directory, data, config_file)
        run = cls(directory, name)
        try:
            run._write(config, data, config_file, original)
        except UserError:
            # Remove the half-made directory, so that the next attempt can use its name.
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
        # Last, because a directory with a config is a run.
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
        name = records.read_environment(directory / ENVIRONMENT).get("name")
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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training the run for as long as the context lasts.

        A context within another holds the same lock. Collective: where several processes make one
        run, every process must call this, and rank 0 holds the lock.

        Raises:
          UserError: another process is training the run, or a symbolic link in the directory leads
            out of it.
        """
        collectives.together(self._acquire)
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        if not self._times_locked:
            _check_links_stay_inside(self.directory)
            self._lock.acquire()
        self._times_locked += 1

    def _release(self) -> None:
        self._times_locked -= 1
        if not self._times_locked:
            self._lock.release()

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run, quoted for the shell."""
        return resume_command(self.directory)

    def read_config(self, modules: Mapping[str, ModuleType] | None = None) -> Any:
        """Reads the config that the run was made with.

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
        """The content of ``environment.json``; empty where the file is missing or damaged."""
        return records.read_environment(self.directory / ENVIRONMENT)

    # Data

    def record_data(self, data: Dataset | Stream) -> None:
        """Writes a description of the data; where there is one, checks that the data fits it.

        Raises:
          UserError: the data is not what the run began with; the disk is full or read-only.
        """
        saved = self.read_data()
        if saved is None:
            json_files.write(self.directory / DATA, own_code.signed_data(data_json.to_json(data)))
        else:
            data_json.check_same(saved, data, sizes=True)

    def read_data(self) -> Spec | None:
        """Reads the description of the data; None where none was written yet.

        Raises:
          UserError: the file is damaged.
        """
        path = self.directory / DATA
        if not path.exists():
            return None
        advice = "remove that file: a run that goes on writes it anew"
        try:
            saved = json_files.read(path)
        except UserError as error:
            raise UserError(f"{error}; {advice}") from error
        try:
            trusts = self._trust or own_code.is_signed_data(saved)
            return data_json.from_json(saved, trust=trusts)
        except UserError as error:
            raise UserError(f"{path}: {error}; {advice}") from error

    # Records

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Appends a record: ``step``, ``epoch``, ``split`` and the metrics, but no times.

        The operating system has the record when this returns: a killed process loses nothing.

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
        """Reads every whole record of ``metrics.jsonl``, in order.

        Raises:
          UserError: the file is damaged.
        """
        return self._metrics.read()

    def read_timings(self) -> list[dict[str, Any]]:
        """Reads every whole record of ``timings.jsonl``, in order.

        Raises:
          UserError: the file is damaged.
        """
        return self._timings.read()

    def truncate_metrics(self, step: int) -> None:
        """Drops the records of later steps than ``step``, and an unfinished line.

        Raises:
          UserError: the file is damaged; the disk is full or read-only.
        """
        self._metrics.keep(lambda record: record.get("step", 0) <= step)

    # Samples

    def write_sample(self, step: int, text: str) -> None:
        """Writes a text that the model generated at a step to ``samples/STEP.txt``.

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
        """Reads ``summary.json``; empty where the file is missing or damaged.

        Numbers that are not finite are floats again.
        """
        return records.read_summary(self.directory / SUMMARY)

    @property
    def status(self) -> Status:
        """The status in the summary; that of a killed run still is "running"."""
        return self.read_summary().get("status", "running")

    def remove_unused(self) -> None:
        """Deletes the run if it holds no record of training, no checkpoint and no figure."""
        if new_directory.is_skeleton(self.directory, besides=(CONFIG,)):
            self.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def close(self) -> None:
        """Closes the files of records; they open again when needed."""
        self._metrics.close()
        self._timings.close()


class Followed(Run):
    """A run that another process writes: this process reads it, and writes nothing.

    Where several processes make one run, every process but rank 0 has this class of run.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.runs.run import Followed
      >>> Followed(Path("nowhere"), "mine").append_metrics({"step": 1, "loss": 0.5})
    """

    keeps = False

    def _acquire(self) -> None:
        """Leaves the lock to rank 0."""

    def _release(self) -> None:
        """Leaves the lock to rank 0."""

    def record_data(self, data: Dataset | Stream) -> None:
        """Leaves the description to rank 0."""

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Leaves the record to rank 0."""

    def append_timings(self, record: Mapping[str, Any]) -> None:
        """Leaves the record to rank 0."""

    def truncate_metrics(self, step: int) -> None:
        """Leaves the records to rank 0."""

    def write_sample(self, step: int, text: str) -> None:
        """Leaves the sample to rank 0."""

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Leaves the summary to rank 0."""

    def remove_unused(self) -> None:
        """Leaves the directory to rank 0."""


def _find(path: Path) -> Path:
    """The run directory that a path means."""
    try:
        for candidate in (path, *path.absolute().parents):
            if (candidate / CONFIG).is_file():
                return candidate
        if not path.exists():
            raise UserError(f"there is no run {path}: no such file or directory")
        runs = [config.parent for config in path.glob(f"*/{CONFIG}")] if path.is_dir() else []
    except OSError as error:
        raise UserError(f"cannot open the run {path}: {error.strerror}") from error
    if not runs:
        raise UserError(f"{path} is no run directory: it has no {CONFIG}")
    # By age: the time in a name has seconds only, and a user may choose any name.
    return max(runs, key=lambda run: (run / CONFIG).stat().st_mtime_ns)


def _check_links_stay_inside(directory: Path) -> None:
    """Raises a UserError where a file of a run is a symbolic link that leads out of the run.

    Training writes, renames and deletes files: what a link leads to belongs to somebody else.
    """
    with json_files.disk_errors(directory):
        inside = directory.resolve()
        links = [path for path in directory.iterdir() if path.is_symlink()]
    for link in links:
        try:
            stays = link.resolve().is_relative_to(inside)
        except (OSError, RuntimeError):  # A link to itself.
            stays = False
        if not stays:
            raise UserError(
                f"{link} is a symbolic link to {os.readlink(link)}, outside the run directory: "
                "training writes and deletes files there; put the files themselves in its place"
            )


# Several processes -------------------------------------------------------------------------------


def _check_same_config(data: dict[str, Any]) -> None:
    """Raises a UserError, at all processes, where they were started with different options."""
    configs = collectives.gather(data)
    for process, other in enumerate(configs):
        places = ("at process 0", f"at process {process}")
        different = list(new_directory.differences(configs[0], other, places=places))
        if different:
            raise UserError(
                f"the processes have different options ({', '.join(different[:3])}); start all "
                "with the same"
            )


def _check_seen(directory: Path) -> None:
    """Raises a UserError where this process does not see the run that rank 0 made."""
    if not (directory / CONFIG).is_file():
        raise UserError(
            f"the run directory {directory} that process 0 made is not here; choose a --run-dir on "
            "a file system that all hosts share"
        )
