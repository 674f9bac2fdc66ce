"""What the commands on finished runs share: opening one with its experiment and data."""

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from nnjax.cli import files
from nnjax.data.dataset import Dataset, Stream
from nnjax.training.experiment import Experiment
from nnjax.training.runs import Run


class Opened(NamedTuple):
    """A run directory with what it ran."""

    run: Run
    experiment: Experiment
    module: ModuleType | None

    def load_data(self) -> Dataset | Stream:
        """The data of the experiment."""
        return self.experiment.data.load()


def open_run(directory: Path) -> Opened:
    """Opens a run directory and reads its configuration back.

    Raises:
      UserError: there is no run there, or its files are damaged.
    """
    run = Run.open(directory)
    # A config file of the user's own may define classes that the configuration names.
    module = files.load(run.config_file) if run.config_file else None
    modules = {module.__name__: module} if module else {}
    return Opened(run, run.read_config(modules), module)
