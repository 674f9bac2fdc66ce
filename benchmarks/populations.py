"""The time of trials trained at once and one by one: ``python -m benchmarks.populations``.

Repeats the measurement that a sweep over seeds makes before it begins: the time of an update, with
batches drawn from each trial's own seed or shared by all, and of an evaluation.
"""

import dataclasses
import shlex
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks import machine
from benchmarks.table import ratio, report, save, table
from nnjax.cli import files
from nnjax.distributed import devices
from nnjax.sweeps.plan.plan import Planner, programs
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.plan.sweep import Sweep
from nnjax.sweeps.plan.tracing import Lifted
from nnjax.sweeps.population import layout
from nnjax.sweeps.population.group import Groups
from nnjax.sweeps.run.estimate import trials_of
from nnjax.training.experiment import Experiment

POPULATIONS = (
    "circles:100",
    "benchmarks/configs/mlp_128.py:32",
    "benchmarks/configs/cnn2.py:8",
    "benchmarks/configs/char_lstm.py:8",
)
OUTPUT = machine.result_page("populations")


@dataclass(frozen=True)
class Options:
    """Times the updates of populations.

    Attributes:
      populations: config files or the names of experiments, each with a number of members.
      rounds: measurements of each, in turn, of which the table has the median.
      output: the Markdown file.
    """

    populations: tuple[str, ...] = POPULATIONS
    rounds: int = 3
    output: Path = OUTPUT


def main(options: Options) -> None:
    """Times every population and writes the page after each, in case of an interruption."""
    command = shlex.join(["python", "-m", "benchmarks.populations", *sys.argv[1:]])
    rows: list[list[str]] = []
    for population in options.populations:
        name, members = population.rsplit(":", 1)
        experiment = files.load(files.find_config(name)).config
        whole = experiment.training.batch_size == 0
        for shared in (True,) if whole else (False, True):
            rows.append(row(Path(name).stem, experiment, int(members), shared, options.rounds))
            heads = ["", "batches", "one by one, ms", "at once, ms", "gain", "evaluation, gain"]
            page = report("Populations", command, [table(heads, rows)])
            save(page, options.output)


def row(title: str, experiment: Experiment, members: int, shared: bool, rounds: int) -> list[str]:
    """Returns a row: milliseconds an update of one trial, alone and as a share of a population."""
    training = dataclasses.replace(experiment.training, data_seed=0 if shared else None)
    experiment = dataclasses.replace(experiment, training=training)
    groups, experiments = make_population(experiment, members)
    rounds_measured = [
        [layout.measure(groups, experiments[:size]) for size in (1, members)] for _ in range(rounds)
    ]
    alone, together = [
        statistics.median(measured[index].seconds_per_update for measured in rounds_measured)
        for index in (0, 1)
    ]
    evaluations = [
        statistics.median(measured[index].evaluation_seconds for measured in rounds_measured)
        for index in (0, 1)
    ]
    return [
        f"{title}, {members} members",
        "shared" if shared else "of their own",
        f"{1000 * alone:.3f}",
        f"{1000 * together:.3f}",
        ratio(alone / together),
        ratio(evaluations[0] / evaluations[1]),
    ]


def make_population(experiment: Experiment, members: int) -> tuple[Groups, list[Experiment]]:
    """Returns the groups of a sweep over seeds, and its trials."""
    load_data = SharedData()
    trials = trials_of(Sweep(experiment=experiment, over={"seed": list(range(members))}))
    ((program, _),) = programs(Planner(load_data), trials).values()
    data = load_data(experiment)
    lifted = Lifted(program.experiment, data, program.arguments)
    mesh = devices.make_mesh(1)
    groups = Groups(lifted, data, program.experiment.training, mesh)
    return groups, [trial.experiment for trial in trials]


if __name__ == "__main__":
    main(tyro.cli(Options))
