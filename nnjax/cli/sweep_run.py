"""Carrying a sweep through from the command line: alone, with workers, or its plan only."""

import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from nnjax.cli import compilation_cache, files, sweep_devices, sweep_options
from nnjax.cli.scripts import execute, find_script
from nnjax.console import Console
from nnjax.data.dataset import specification
from nnjax.distributed import devices
from nnjax.runs import config_json
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.report import plan_report, report
from nnjax.sweeps.run import estimate, processes
from nnjax.sweeps.run.conduct import conduct, release_dead
from nnjax.sweeps.run.display import Display
from nnjax.sweeps.run.worker import Worker


def start(name: str, parsed: sweep_options.Parsed, own_file: Path | None) -> int:
    """Begins a sweep, or goes on with one that its directory holds already; prints the results."""
    options, sweep = parsed.options, parsed.sweep
    compilation_cache.enable()
    if options.dry_run:
        return show_plan(parsed)
    settings = {
        "experiment": config_json.to_json(sweep.experiment),
        "search": config_json.to_json(sweep.search),
        "over": parsed.over,
        "words": parsed.words,
        "file": own_file,
    }
    with SweepDirectory.begin(
        name, settings, directory=options.sweep_dir, config_file=own_file
    ) as directory:
        return carry_through(directory, parsed)


def resume(directory: SweepDirectory, *, quiet: bool) -> int:
    """Goes on with a sweep from its current state; prints the results."""
    directory.check_trust()
    compilation_cache.enable()
    return carry_through(directory, _read(directory, quiet=quiet))


def join(path: Path, *, trust: bool = False) -> int:
    """Works on a sweep that another process conducts, until no trial is waiting."""
    directory = SweepDirectory.open(path, trust=trust)
    directory.check_trust()
    compilation_cache.enable()
    parsed = _read(directory, quiet=True)
    search, experiment = parsed.sweep.search, parsed.sweep.experiment
    objective = Objective.of(search.metric, experiment, specification(experiment.data))
    study = Study(directory.directory, search, name=directory.study)
    # A parent counts the deaths of its workers, to fail a trial that kills every one of them.
    if not processes.has_parent():
        release_dead(directory, study)
    make_worker(directory, study, parsed, objective, processes.leave_with_parent).work()
    return 0


def carry_through(directory: SweepDirectory, parsed: sweep_options.Parsed) -> int:
    """Draws, plans and trains until the sweep is finished; prints its table."""
    sweep, options = parsed.sweep, parsed.options
    load_data = SharedData()
    experiment = sweep.experiment
    objective = Objective.of(sweep.search.metric, experiment, load_data(experiment))
    study = Study(
        directory.directory,
        sweep.search,
        name=directory.study,
        maximize=objective.maximize,
        trust=directory.trust,
    )
    with Display(directory, study, objective, quiet=options.quiet) as display:
        work = _workers(directory, study, parsed, objective, display.update)
        conduct(sweep, directory, study, Planner(load_data), work)
    show_results(directory, study, objective)
    return 0


def _workers(
    directory: SweepDirectory,
    study: Study,
    parsed: sweep_options.Parsed,
    objective: Objective,
    on_change: Callable[[], None],
) -> Callable[[], None]:
    """The function that trains the waiting trials: here, in processes, or on a Ray cluster."""
    options = parsed.options
    if options.engine == "ray":
        from nnjax.sweeps.run.on_ray import RayWorkers

        address = options.ray_address
        return RayWorkers(directory, study, options.workers, address, on_change).work
    if options.workers == "1":
        return make_worker(directory, study, parsed, objective, on_change).work
    environments = sweep_devices.environments(options.workers)
    return processes.Workers(directory, study, environments, on_change).work


def show_results(directory: SweepDirectory, study: Study, objective: Objective) -> None:
    """Prints the ranked trials and, where seeds were swept, the mean and spread over them."""
    console = Console()
    console.print(report.table(directory, study, objective))
    if report.has_seeds(report.results(directory, study)):
        console.print()
        rows = report.over_seeds(directory, study, objective)
        console.print(report.seeds_table(rows, objective))
    path = shlex.quote(str(directory.directory))
    console.print(f"figures, CSV and the winner's command: nnjax sweep-report {path}")


def show_plan(parsed: sweep_options.Parsed) -> int:
    """Prints the cost of the sweep; trains only to measure it."""
    sweep = parsed.sweep
    workers = 1
    if parsed.options.workers != "1":
        workers = len(sweep_devices.environments(parsed.options.workers))
    load_data = SharedData()
    planner = Planner(load_data)
    mesh = devices.make_mesh(parsed.options.spread)
    found = estimate.estimate(sweep, planner, load_data, mesh, workers)
    for part in plan_report.render(found, planner.reasons, workers):
        Console().print(part)
    return 0


def make_worker(
    directory: SweepDirectory,
    study: Study,
    parsed: sweep_options.Parsed,
    objective: Objective,
    on_change: Callable[[], None],
) -> Worker:
    """A worker in this process, on the first devices of the machine."""
    module, sweep = _module(directory), parsed.sweep
    return Worker(
        directory,
        study,
        sweep,
        objective,
        devices.make_mesh(parsed.options.spread),
        modules={module.__name__: module},
        train_alone=_own_script(sweep.experiment, module),
        on_change=on_change,
    )


def _read(directory: SweepDirectory, *, quiet: bool) -> sweep_options.Parsed:
    """The command line that the sweep was begun with, parsed again."""
    words = directory.command_line
    words += ["--quiet"] * (quiet and "--quiet" not in words)
    for path, values in directory.settings["over"].items():
        words = [*words, sweep_options.OVER, path, *values]
    return sweep_options.parse(_module(directory), words, "nnjax sweep")


def _own_script(experiment: Any, module: ModuleType) -> Any:
    """A function that trains a trial by its script; None where ``fit`` does the same."""
    script = find_script(experiment, module)
    if script is not module and not getattr(script, "SEVERAL_TRAININGS", False):
        return None

    def train(experiment: Any, run: Any, resume: bool) -> Any:
        execute(script, experiment, run, resume=resume, quiet=True)
        return run.read_summary()

    return train


def _module(directory: SweepDirectory) -> ModuleType:
    """The sweep's copy of the user's config file, or the current file of nnjax's own config."""
    if directory.config_file:
        return files.load(directory.config_file, Path(directory.settings["file"]))
    return files.load(files.find_config(directory.name))
