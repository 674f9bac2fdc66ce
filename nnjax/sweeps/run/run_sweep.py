"""A sweep from Python, in this process: what ``nnjax sweep`` does, without its display."""

from pathlib import Path
from typing import NamedTuple

from nnjax.distributed import devices
from nnjax.runs import config_json
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.plan.sweep import Sweep, without_addresses
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.run.conduct import conduct
from nnjax.sweeps.run.worker import Worker


class Swept(NamedTuple):
    """A sweep that was carried through.

    Attributes:
      directory: where its trials are.
      study: its record.
      objective: what ranked the trials.
    """

    directory: SweepDirectory
    study: Study
    objective: Objective


def run_sweep(
    sweep: Sweep, path: Path, *, name: str = "sweep", spread: int = 1, trust: bool = False
) -> Swept:
    """Carries a sweep through, or goes on with it where its directory holds it already.

    Args:
      sweep: what to do.
      path: the sweep's directory.
      name: of the experiment.
      spread: devices that share the trials which are trained at once.
      trust: whether to go on with a sweep that needs to unpickle what somebody else made.

    Raises:
      UserError: the directory holds another sweep, or the sweep does not fit its experiment.
      Interrupted: SIGTERM or SIGINT came; everything is saved.
    """
    settings = {
        "experiment": config_json.to_json(sweep.experiment),
        "search": config_json.to_json(sweep.search),
        "over": {path: without_addresses(repr(one)) for path, one in sweep.space.items()},
    }
    with SweepDirectory.begin(name, settings, directory=path, trust=trust) as directory:
        return _carry_through(sweep, directory, spread)


def _carry_through(sweep: Sweep, directory: SweepDirectory, spread: int) -> Swept:
    load_data = SharedData()
    objective = Objective.of(sweep.search.metric, sweep.experiment, load_data(sweep.experiment))
    study = Study(
        directory.directory,
        sweep.search,
        name=directory.study,
        maximize=objective.maximize,
        trust=directory.trust,
    )
    mesh = devices.make_mesh(spread)
    modules = config_json.modules_of(sweep.experiment)
    worker = Worker(directory, study, sweep, objective, mesh, modules=modules)
    conduct(sweep, directory, study, Planner(load_data), worker.work)
    return Swept(directory, study, objective)
