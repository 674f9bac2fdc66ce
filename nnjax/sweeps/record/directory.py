"""The directory of a sweep.

``sweeps/<name>/<time>-<id>/`` holds

* ``sweep.json``: the experiment, the space and the search, as they were asked for;
* ``config.py``: the user's own config file, where the sweep came from one;
* ``journal.log``: Optuna's record of the trials (unless another storage was named);
* ``programs.json``: the plan: for each program what its trials have in common, and how many of
  them are trained at once;
* ``trials/<number>/``: a run directory for each trial, as ``nnjax train`` makes them;
* ``workers/``: a lock and a log for each process that works on the sweep.
"""

import secrets
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnjax.errors import UserError
from nnjax.runs import checkpoints, json_files, trust
from nnjax.runs.run import Run, Status
from nnjax.sweeps.plan.plan import Program
from nnjax.sweeps.record.worker_locks import WorkerLocks
from nnjax.training.experiment import Experiment
from nnjax.training.interruption import Interrupted

SETTINGS = "sweep.json"
CONFIG_FILE = "config.py"
PROGRAMS = "programs.json"
FOLDERS = ("trials", "workers")
SIGNATURE = "signature"

PURPOSE = "sweep"
"""What the signature of a sweep is for."""


class SweepDirectory:
    """The files of a sweep.

    Attributes:
      directory: its path.
      settings: the content of ``sweep.json``.
      locks: of the processes that work on the sweep.
      trust: whether the code of the sweep may run although somebody else made it.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any], *, trust: bool = False):
        """Takes a directory that is a sweep already; see ``create`` and ``open``."""
        self.directory, self.settings, self.trust = directory, settings, trust
        self.locks = WorkerLocks(directory / "workers")

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
          settings: what defines the sweep, as JSON.
          directory: of the sweep; None makes ``<root>/<name>/<YYYYmmdd-HHMMSS>-<6 hex digits>/``.
          root: the folder of all sweeps.
          config_file: the user's own config file, to be copied into the directory.

        Raises:
          UserError: the directory holds something else, or cannot be written.
        """
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        directory = Path(root) / name / stamp if directory is None else Path(directory)
        settings = {"name": name, **settings}
        checkpoints.check_name(directory)
        if is_sweep(directory):
            return cls.open(directory)._begin_again(settings, config_file)
        if directory.exists() and not directory.is_dir():
            raise UserError(f"{directory} is a file; choose another --sweep-dir")
        if not _is_free(directory):
            raise UserError(f"{directory} is not empty and holds no sweep; choose another")
        with json_files.disk_errors(directory):
            for folder in FOLDERS:
                (directory / folder).mkdir(parents=True, exist_ok=True)
            copied = config_file and Path(config_file).read_bytes()
        if copied is not None:
            json_files.replace(directory / CONFIG_FILE, copied)
        # A storage may hold the studies of many sweeps.
        study = f"{directory.absolute().name}-{secrets.token_hex(6)}"
        # Last, as a directory with settings is a sweep.
        _write_settings(directory, {**settings, "study": study})
        return cls.open(directory, trust=True)

    def _begin_again(
        self, settings: Mapping[str, Any], config_file: Path | None
    ) -> "SweepDirectory":
        """The same sweep, asked for once more, with the new words of its command line.

        Raises:
          UserError: it is another sweep.
        """
        settings = json_files.plain(settings)
        if _defining(self.settings) != _defining(settings) or not self._is_copy(config_file):
            raise UserError(
                f"{self.directory} holds another sweep; choose another --sweep-dir, or, with the "
                f"one there, {self.how_to_go_on}"
            )
        if self.settings.get("words") != settings.get("words"):
            # Worker processes read the words from the file.
            _write_settings(self.directory, {**self.settings, **settings})
        return type(self).open(self.directory, trust=self.trust)

    def _is_copy(self, config_file: Path | None) -> bool:
        """Whether the sweep was made with this config file of the user's own, or with none."""
        copied = self.config_file
        if config_file is None or copied is None:
            return config_file is copied
        return Path(config_file).read_bytes() == copied.read_bytes()

    @classmethod
    @contextmanager
    def begin(
        cls,
        name: str,
        settings: Mapping[str, Any],
        *,
        directory: Path | None = None,
        config_file: Path | None = None,
        trust: bool = False,
    ) -> Iterator["SweepDirectory"]:
        """Makes or opens the directory, as ``create`` does, and gives it.

        A new sweep that is refused before its first trial is deleted, so that the corrected
        command can use the same directory.
        """
        is_new = directory is None or not is_sweep(directory)
        made = cls.create(name, settings, directory=directory, config_file=config_file)
        made.trust = made.trust or trust
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
          UserError: there is none, or its settings are damaged.
        """
        directory = Path(directory)
        if not is_sweep(directory):
            inside = directory.iterdir() if directory.is_dir() else ()
            newest = max(filter(is_sweep, inside), key=_age, default=None)
            if newest is None:
                raise UserError(f"{directory} is no sweep: it has no {SETTINGS}")
            directory = newest
        path = directory / SETTINGS
        settings = json_files.read(path)
        if wrong := _wrong_field(settings):
            raise UserError(f"{path} is damaged: its '{wrong}' is missing or of a wrong type")
        return cls(directory, settings, trust=trust)

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
        trust.check(self.directory, self._code(), is_ours=self.is_ours(), trust=self.trust)

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
    def original_file(self) -> Path | None:
        """The user's own config file, of which ``config_file`` is a copy."""
        original = self.settings.get("file")
        return None if original is None else Path(original)

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
        """The end of a sentence: how to go on with the sweep."""
        if "words" in self.settings:
            return f"go on with: nnjax resume {shlex.quote(str(self.directory))}"
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
        """Makes the run directory of a trial, unless it is there already."""
        directory = self.trial(number)
        if (directory / "config.json").is_file():
            return
        run = Run.create(
            self.name,
            experiment,
            directory=directory,
            config_file=self.config_file,
            original=self.config_file and self.original_file,
        )
        run.write_summary({"status": status})

    def open_trial(self, number: int) -> Run:
        """The run of a trial."""
        return Run.open(self.trial(number), trust=self.trust)

    # Programs

    def read_programs(self) -> dict[str, dict[str, Any]]:
        """The entries of ``programs.json``, by the numbers of the programs as text.

        Raises:
          UserError: the file is damaged.
        """
        path = self.directory / PROGRAMS
        programs = json_files.read(path) if path.is_file() else {}
        for number, entry in programs.items():
            if not number.isdecimal() or not _is_program(entry):
                raise UserError(f"{path} is damaged: its program '{number}' is no program")
        return programs

    def add_programs(self, programs: list[Program]) -> list[int]:
        """Records programs and returns their numbers; a program that is known keeps its own."""
        with self.locks.lock("programs"):
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
        """Adds facts to the entry of a program."""
        with self.locks.lock("programs"):
            known = self.read_programs()
            known[str(number)] |= facts
            json_files.write(self.directory / PROGRAMS, known)


def _write_settings(directory: Path, settings: Mapping[str, Any]) -> None:
    """Writes and signs ``sweep.json``."""
    settings = json_files.plain(settings)
    signature = trust.sign(PURPOSE, _statement(directory, settings))
    json_files.write(directory / SETTINGS, {**settings, SIGNATURE: signature})


def _statement(directory: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed: the settings, as they decide which code runs, and the config file."""
    file = directory / CONFIG_FILE
    return {
        "config.py": trust.hash_of(file.read_bytes() if file.is_file() else None),
        "settings": {name: value for name, value in settings.items() if name != SIGNATURE},
    }


def _storage_of(settings: Mapping[str, Any]) -> Any:
    search = settings.get("search")
    return search.get("storage") if isinstance(search, dict) else None


def is_sweep(directory: Path) -> bool:
    """Whether a directory is that of a sweep."""
    return (Path(directory) / SETTINGS).is_file()


def _is_free(directory: Path) -> bool:
    """Whether a directory is missing, empty, or holds only what a killed ``create`` leaves."""
    inside = list(directory.iterdir()) if directory.is_dir() else []
    empty = [path for path in inside if path.name in FOLDERS and _is_empty_folder(path)]
    # The folders are made first: a config.py without them is the user's own.
    is_begun = len(empty) == len(FOLDERS)
    written = [
        path
        for path in inside
        # A file is first written under a hidden name.
        if (is_begun and path.name.startswith((f".{SETTINGS}.", f".{CONFIG_FILE}.")))
        or (is_begun and path.name == CONFIG_FILE)
    ]
    return len(empty) + len(written) == len(inside)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _wrong_field(settings: Mapping[str, Any]) -> str:
    """The first field of ``sweep.json`` that is of a wrong type; empty where all are right."""
    words = settings.get("words", [])
    over = settings.get("over", {})
    is_right = {
        "name": isinstance(settings.get("name"), str),
        "study": isinstance(settings.get("study", ""), str),
        "file": isinstance(settings.get("file"), str | None),
        "words": _are_words(words),
        # A sweep from Python has texts in the place of the words.
        "over": isinstance(over, dict)
        and all(isinstance(one, str) or _are_words(one) for one in over.values()),
    }
    return next((name for name, right in is_right.items() if not right), "")


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_program(entry: Any) -> bool:
    """Whether an entry of ``programs.json`` has what the rest of the code reads."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("key"), str)
        and isinstance(entry.get("settings"), dict)
        and isinstance(entry.get("together"), bool)
        and isinstance(entry.get("members", 1), int)
        and _are_words(entry.get("arguments"))
    )


def _defining(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What two equal sweeps have in common: not the words, which may name other devices."""
    others = ("words", "study", SIGNATURE)
    return {name: value for name, value in settings.items() if name not in others}


def _age(directory: Path) -> int:
    return (directory / SETTINGS).stat().st_mtime_ns
