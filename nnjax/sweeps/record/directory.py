"""The directory of a sweep: what is searched, the trials' runs, who works on them.

``sweeps/<name>/<time>-<id>/`` holds

* ``sweep.json``: the experiment, the space and the search, as they were asked for;
* ``config.py``: the file they came from, where that is the user's own;
* ``journal.log``: the record of the trials, Optuna's (unless another storage was named);
* ``programs.json``: the plan: for each program what its trials have in common, and how many of
  them are trained at once;
* ``trials/<number>/``: a run directory for each trial, as ``nnjax train`` makes them;
* ``workers/``: a lock for each process that works on the sweep, held as long as it lives.
"""

import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nnjax.errors import UserError
from nnjax.runs import json_files, trust
from nnjax.runs.run import Run, Status
from nnjax.sweeps.plan.plan import Program
from nnjax.training.experiment import Experiment
from nnjax.training.interruption import Interrupted

SETTINGS = "sweep.json"
CONFIG_FILE = "config.py"
PROGRAMS = "programs.json"
SIGNATURE = "signature"

PURPOSE = "sweep"

SECONDS_BETWEEN_BEATS = 30.0
SECONDS_TO_DEATH = 300.0
"""A worker of another machine that gave no sign of life for so long is taken for dead."""


class SweepDirectory:
    """A sweep on the disk.

    Attributes:
      directory: its path.
      settings: what ``sweep.json`` holds.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any], *, trust: bool = False):
        """Takes a directory that is a sweep already; see ``create`` and ``open``."""
        self.directory, self.settings, self._trust = directory, settings, trust

    @classmethod
    def create(
        cls,
        name: str,
        settings: Mapping[str, Any],
        *,
        directory: Path | None = None,
        root: Path = Path("sweeps"),
        config_file: Path | None = None,
    ) -> "SweepDirectory":
        """Makes the directory, or opens it where it holds the same sweep already.

        Args:
          name: of the experiment.
          settings: what defines the sweep; JSON.
          directory: of the sweep; None makes ``<root>/<name>/<YYYYmmdd-HHMMSS>-<6 hex digits>/``.
          root: holds all sweeps.
          config_file: the user's own file that the sweep came from, to be kept with it.

        Raises:
          UserError: the directory holds something else, or cannot be written.
        """
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        directory = Path(root) / name / stamp if directory is None else Path(directory)
        settings = {"name": name, **settings}
        if is_sweep(directory):
            return cls.open(directory)._again(settings, config_file)
        if directory.exists() and any(directory.iterdir()):
            raise UserError(f"{directory} is not empty and holds no sweep; choose another")
        with json_files.disk_errors(directory):
            for folder in ("trials", "workers"):
                (directory / folder).mkdir(parents=True, exist_ok=True)
            copied = config_file and Path(config_file).read_bytes()
        if copied:
            json_files.replace(directory / CONFIG_FILE, copied)
        # A storage may hold the studies of many sweeps.
        study = f"{directory.absolute().name}-{secrets.token_hex(6)}"
        _write_settings(directory, {**settings, "study": study})
        return cls.open(directory, trust=True)

    def _again(self, settings: Mapping[str, Any], config_file: Path | None) -> "SweepDirectory":
        """The same sweep, asked for once more, as it is to be carried through from now on."""
        settings = json_files.plain(settings)
        if _defining(self.settings) != _defining(settings) or not self._is_copy(config_file):
            raise UserError(
                f"{self.directory} holds another sweep; choose another --sweep-dir, or, with the "
                f"one there, {self.how_to_go_on}"
            )
        if self.settings.get("words") != settings.get("words"):
            # Workers of their own read them.
            _write_settings(self.directory, {**self.settings, **settings})
        return type(self).open(self.directory, trust=self._trust)

    def _is_copy(self, config_file: Path | None) -> bool:
        """Whether the sweep was made with this file of the user's own, or with none."""
        kept = self.config_file
        if config_file is None or kept is None:
            return config_file is kept
        return Path(config_file).read_bytes() == kept.read_bytes()

    @classmethod
    @contextmanager
    def begin(
        cls,
        name: str,
        settings: Mapping[str, Any],
        *,
        directory: Path | None = None,
        config_file: Path | None = None,
    ) -> Iterator["SweepDirectory"]:
        """Makes or opens the directory, as ``create`` does, and gives it.

        A new one whose sweep is refused before its first trial is deleted, so that it is not in
        the way of the next try.
        """
        is_new = directory is None or not is_sweep(directory)
        made = cls.create(name, settings, directory=directory, config_file=config_file)
        try:
            yield made
        except Interrupted:
            raise
        except UserError:
            if is_new and not any((made.directory / "trials").iterdir()):
                shutil.rmtree(made.directory, ignore_errors=True)
            raise

    @classmethod
    def open(cls, directory: Path, *, trust: bool = False) -> "SweepDirectory":
        """Opens a sweep by its directory, or by ``sweeps/<name>``: the newest.

        Args:
          directory: the path.
          trust: whether the code that the sweep needs may run although this user did not make the
            sweep on this machine.

        Raises:
          UserError: there is none, or it is damaged.
        """
        if not is_sweep(directory):
            newest = max(Path(directory).glob(f"*/{SETTINGS}"), key=_age, default=None)
            if newest is None:
                raise UserError(f"{directory} is no sweep: it has no {SETTINGS}")
            directory = newest.parent
        settings = json_files.read(Path(directory) / SETTINGS)
        return cls(Path(directory), settings, trust=trust)

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.settings["name"]

    @property
    def config_file(self) -> Path | None:
        """The sweep's copy of the user's own config file; None where nnjax's own was used."""
        path = self.directory / CONFIG_FILE
        return path if path.is_file() else None

    def check_trust(self) -> None:
        """Checks that the code which the sweep needs may run.

        Raises:
          UserError: this user did not make the sweep on this machine, and did not say ``trust``.
        """
        trust.check(self.directory, self._code(), is_ours=self.is_ours(), trust=self._trust)

    def is_ours(self) -> bool:
        """Whether this user made the sweep, with these settings and this file, on this machine."""
        statement = _statement(self.directory, self.settings)
        return trust.is_signed(PURPOSE, statement, self.settings.get(SIGNATURE))

    def _code(self) -> list[str]:
        """What going on with the sweep would do that needs trust, in words."""
        code = ["run its config.py"] if self.config_file else []
        if storage := _storage_of(self.settings):
            code.append(f"use the storage {storage}")
        words = self.settings.get("words")
        if isinstance(words, list) and any("ray" in str(word) for word in words):
            code.append("use the Ray cluster that it names")
        return code

    @property
    def command_line(self) -> list[str]:
        """The words of the command line that the sweep was begun with.

        Raises:
          UserError: it was begun from Python.
        """
        if "words" not in self.settings:
            raise UserError(f"{self.directory} was begun from Python; {self.how_to_go_on}")
        return list(self.settings["words"])

    @property
    def how_to_go_on(self) -> str:
        """The end of a sentence: what goes on with the sweep."""
        if "words" in self.settings:
            return f"go on with: nnjax resume {self.directory}"
        return "go on by running the script that calls run_sweep again"

    @property
    def study(self) -> str:
        """The name of the sweep's study in a storage that other sweeps may use too."""
        return self.settings.get("study", self.directory.absolute().name)

    # Trials

    def trial(self, number: int) -> Path:
        """The run directory of a trial."""
        return self.directory / "trials" / f"{number:04d}"

    def prepare_trial(self, number: int, experiment: Experiment, status: Status) -> None:
        """Makes the run directory of a trial, unless that was done before."""
        directory = self.trial(number)
        if (directory / "config.json").is_file():
            return
        run = Run.create(
            self.name,
            experiment,
            directory=directory,
            config_file=self.config_file,
            original=self.config_file and self.settings.get("file"),
        )
        run.write_summary({"status": status})

    def open_trial(self, number: int) -> Run:
        """The run of a trial."""
        return Run.open(self.trial(number), trust=self._trust)

    # Programs

    def read_programs(self) -> dict[str, dict[str, Any]]:
        """What is known of the programs, by their numbers as text."""
        path = self.directory / PROGRAMS
        return json_files.read(path) if path.is_file() else {}

    def add_programs(self, programs: list[Program]) -> list[int]:
        """Writes programs down and returns their numbers; one that is there keeps its own."""
        known = self.read_programs()
        numbers = {entry["key"]: int(number) for number, entry in known.items()}
        for program in programs:
            if program.key not in numbers:
                numbers[program.key] = len(numbers)
                known[str(numbers[program.key])] = {
                    "settings": dict(program.settings),
                    "arguments": list(program.arguments),
                    "together": program.together,
                    "key": program.key,
                }
        json_files.write(self.directory / PROGRAMS, known)
        return [numbers[program.key] for program in programs]

    def note_program(self, number: int, **facts: Any) -> None:
        """Adds facts to what is known of a program."""
        with self.lock("programs"):
            known = self.read_programs()
            known[str(number)] |= facts
            json_files.write(self.directory / PROGRAMS, known)

    # Workers

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Waits for a lock and holds it; the system frees it if the process dies."""
        with open(self._lock_file(name), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def working(self) -> Iterator[str]:
        """Makes this process a worker and gives its name, known to be alive while it is."""
        name = f"{host()}-{os.getpid()}-{secrets.token_hex(2)}"
        path = self._lock_file(name)
        ended = threading.Event()
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            beat = threading.Thread(target=_beat, args=(path, ended), daemon=True)
            beat.start()
            try:
                yield name
            finally:
                ended.set()
                beat.join()
                with suppress(OSError):
                    path.unlink()

    def is_alive(self, worker: str) -> bool:
        """Whether a worker's process lives.

        On this machine its lock tells at once; on another, where locks of a network file system
        may not, the age of its last sign of life.
        """
        path = self._lock_file(worker)
        if not worker or not path.is_file():
            return False
        if not worker.startswith(f"{host()}-"):
            return time.time() - path.stat().st_mtime < SECONDS_TO_DEATH
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        with suppress(OSError):
            path.unlink()
        return False

    def _lock_file(self, name: str) -> Path:
        return self.directory / "workers" / f"{name}.lock"


def _write_settings(directory: Path, settings: Mapping[str, Any]) -> None:
    """Writes and signs ``sweep.json``."""
    settings = json_files.plain(settings)
    signature = trust.sign(PURPOSE, _statement(directory, settings))
    json_files.write(directory / SETTINGS, {**settings, SIGNATURE: signature})


def _statement(directory: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed: the settings decide which code runs, as the config file does."""
    file = directory / CONFIG_FILE
    return {
        "config.py": trust.hash_of(file.read_bytes() if file.is_file() else None),
        "settings": {name: value for name, value in settings.items() if name != SIGNATURE},
    }


def _storage_of(settings: Mapping[str, Any]) -> Any:
    search = settings.get("search")
    return search.get("storage") if isinstance(search, dict) else None


def _defining(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two sweeps the same: not the words, which also say how many workers there are."""
    others = ("words", "study", SIGNATURE)
    return {name: value for name, value in settings.items() if name not in others}


def _age(file: Path) -> int:
    return file.stat().st_mtime_ns


def host() -> str:
    """The name of this machine."""
    return os.uname().nodename


def _beat(path: Path, ended: threading.Event) -> None:
    """Gives signs of life."""
    while not ended.wait(SECONDS_BETWEEN_BEATS):
        with suppress(OSError):
            os.utime(path)


def is_sweep(directory: Path) -> bool:
    """Whether a directory is that of a sweep."""
    return (Path(directory) / SETTINGS).is_file()
