"""Opening a run with its experiment and its data, for the commands on runs."""

import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from nnjax.cli import files
from nnjax.data.dataset import Dataset, Known, Stream, conform
from nnjax.errors import UserError, warn
from nnjax.runs import json_files
from nnjax.runs.run import CONFIG, CONFIG_FILE, Run
from nnjax.training.experiment import Experiment, check_data


class Opened(NamedTuple):
    """A run directory with its experiment, and the module of its config file."""

    run: Run
    experiment: Experiment
    module: ModuleType | None

    def load_data(self) -> Dataset | Stream:
        """The data of the experiment, in the form that the run was trained with.

        The statistics of ``standardise``, the order of the classes and the length of padded texts
        are those that the run recorded, also where the data has changed since.

        Raises:
          UserError: the source gives no data, or data that the model cannot take.
        """
        try:
            data = self.experiment.data.load()
        except UserError as error:
            raise UserError(f"{error}{self._elsewhere()}") from error
        check_data(data)
        saved = self.run.read_data()
        return data if saved is None else conform(data, saved)

    def known_data(self) -> Known:
        """What the run recorded of its data, or the data itself where the record does not suffice.

        Raises:
          UserError: the data is needed, and its source gives none.
        """
        saved = self.run.read_data()
        if saved is None or saved.complete is False:
            return self.load_data()
        # Version 0.1.0 did not record whether the data has a `prepare` of its own.
        has_own_source = type(self.experiment.data).__module__.partition(".")[0] != "nnjax"
        return self.load_data() if saved.complete is None and has_own_source else saved

    def _elsewhere(self) -> str:
        """The end of a sentence: the directory that a relative path of the data belongs to."""
        began = self.run.environment.get("directory")
        values = vars(self.experiment.data).values()
        relative = [path for path in values if isinstance(path, Path) and not path.is_absolute()]
        if not relative or not isinstance(began, str) or Path(began) == Path.cwd():
            return ""
        return f" ({relative[0]} was meant from {began}, where the run began: call it from there)"


def open_run(directory: Path, *, trust: bool = False) -> Opened:
    """Opens a run directory and reads its configuration back.

    Args:
      directory: of the run.
      trust: whether its ``config.py``, and modules that it names, may run although this user did
        not make the run on this machine.

    Raises:
      UserError: there is no run there, its files are damaged, or its code may not run.
    """
    try:
        run = Run.open(directory, trust=trust)
    except UserError:
        # Imported here, for it takes time that commands on runs do not need.
        from nnjax.sweeps.record.directory import is_sweep

        if not is_sweep(directory):
            raise
        raise UserError(
            f"{directory} is a sweep; give one of its trials, such as {directory}/trials/0000, or "
            f"see them all with: nnjax sweep-report {shlex.quote(str(directory))}"
        ) from None
    run.check_trust()
    # The config file may define classes that the config names, and its own `main`.
    module = _config_module(run)
    modules = {module.__name__: module} if module else {}
    return Opened(run, run.read_config(modules), module)


def _config_module(run: Run) -> ModuleType | None:
    """The run's copy of the config file; for a named experiment, nnjax's file as it is now."""
    if run.config_file:
        return files.load(run.config_file, _original(run, run.config_file))
    if (run.directory / CONFIG_FILE).exists():
        warn(f"{run.directory / CONFIG_FILE} is ignored: the run was made without it")
    built_in = files.config_files().get(run.name)
    return files.load(built_in) if built_in else None


def _original(run: Run, copy: Path) -> Path:
    """The file that was copied into the run; if not on record, a file of the name in the config.

    The config names the classes of that file by the file's name.
    """
    recorded = run.environment.get("config_file")
    original = Path(recorded) if isinstance(recorded, str) else copy
    named = re.search(
        rf'"({files.MODULE_PREFIX}(\w+))\.',
        json_files.read_bytes(run.directory / CONFIG).decode(errors="replace"),
    )
    if named is None or named[1] == files.module_name(original):
        return original
    return original.with_stem(named[2])
