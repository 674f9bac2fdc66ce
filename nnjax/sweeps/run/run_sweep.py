"""A sweep from Python, in this process: the same as ``nnjax sweep``, without its display."""

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
    """A finished sweep.

    Attributes:
      directory: its directory, with the runs of the trials.
      study: the record of its trials.
      objective: the metric that ranked the trials.

    Example:
      >>> from nnjax.sweeps import Swept
      >>> Swept._fields
      ('directory', 'study', 'objective')
    """

    directory: SweepDirectory
    study: Study
    objective: Objective


def run_sweep(
    sweep: Sweep, path: Path, *, name: str = "sweep", spread: int = 1, trust: bool = False
) -> Swept:
    """Carries a sweep through, or goes on with it where its directory holds it already.

    Args:
      sweep: the experiment, and the values to try.
      path: the sweep's directory.
      name: of the experiment.
      spread: the number of devices that share the trials which train at once.
      trust: whether to go on with a sweep that needs to unpickle what somebody else made.

    Returns:
      The finished sweep.

    Raises:
      UserError: the directory holds another sweep, or the sweep does not fit its experiment.
      Interrupted: SIGTERM or SIGINT came; everything is saved.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Circles
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.sweeps import Search, Sweep, run_sweep
      >>> from nnjax.training import Experiment, Training
      >>> learner, training = Supervised(MLP(features=(2,))), Training(steps=2)
      >>> experiment = Experiment(data=Circles(), learner=learner, training=training)
      >>> sweep = Sweep(experiment=experiment, over={"l2": (0, 1)}, search=Search(members=2))
      >>> run_sweep(sweep, Path("sweep")).study.counts()
      Counter({'complete': 2})
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
