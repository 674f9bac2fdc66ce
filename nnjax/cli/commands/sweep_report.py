"""``nnjax sweep-report DIR``: the results of a sweep, finished or still running."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from nnjax.cli import files, sweep_winner
from nnjax.cli.options import call_with_options
from nnjax.console import Console
from nnjax.data.dataset import specification
from nnjax.errors import UserError
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.record import results_csv
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import Result, open_study
from nnjax.sweeps.report import report
from nnjax.sweeps.report.report_figures import draw_figures

FOLDER = "report"

Modules = Mapping[str, ModuleType]


def sweep_report(
    sweep: Annotated[Path, tyro.conf.Positional],
    csv: Path | None = None,
    figures: Path | None = None,
    top: int = report.SHOWN,
    trust: bool = False,
) -> None:
    """Prints and draws the results of a sweep, and the command that trains its winner again.

    Args:
      sweep: the directory of the sweep; it may still be running.
      csv: the file for all results, a line for each trial; by default SWEEP/report/results.csv.
      figures: the folder for the figures; by default SWEEP/report/figures.
      top: rows of a table.
      trust: run the code that came with the sweep, also where somebody else made it.
    """
    if top < 1:
        raise UserError(f"--top must be at least 1, not {top}")
    directory = SweepDirectory.open(sweep, trust=trust)
    directory.check_trust()
    study, search = open_study(directory)
    found = report.results(directory, study)
    if not any(one.state == "complete" for one in found):
        raise UserError(f"{sweep} has no complete trial to report of yet: {report.counted(found)}")
    modules = _modules(directory)
    objective = _objective(directory, found[0], search.metric, modules)
    console = Console()
    console.print(report.table(directory, study, objective, top, console=console))
    rows = report.over_seeds(directory, study, objective) if report.has_seeds(found) else []
    if rows:
        console.print()
        console.print(report.seeds_table(rows, objective, top))
    console.print()
    results_file = results_csv.write_csv(found, csv or sweep / FOLDER / "results.csv")
    folder = figures or sweep / FOLDER / "figures"
    drawn = draw_figures(found, study, objective, directory.name, folder)
    for line in (f"results: {results_file}", *map("figure:  {}".format, drawn.files)):
        console.print(line)
    for line in (*drawn.missing, *_commands(directory, _winners(found, rows), modules)):
        console.print(line)


def _modules(directory: SweepDirectory) -> Modules:
    """The user's own config file, for the classes it may define."""
    original = directory.settings.get("file")
    if directory.config_file is None or original is None:
        return {}
    module = files.load(directory.config_file, Path(original))
    return {module.__name__: module}


def _objective(
    directory: SweepDirectory, trial: Result, metric: str, modules: Modules
) -> Objective:
    """The metric that ranked the trials; works without the data, as a trial records its shapes."""
    run = directory.open_trial(trial.number)
    experiment = run.read_config(modules)
    data = run.read_data() or specification(experiment.data)
    return Objective.of(metric, experiment, data)


def _winners(found: Sequence[Result], rows: Sequence[report.OverSeeds]) -> dict[str, Result]:
    """The trials that are worth training again, by a description of each."""
    best = found[0]
    if not rows or best.number in rows[0].trials:
        return {"the best": best}
    # The best trial of all may be best because of its seed.
    first = next(one for one in found if one.number == rows[0].trials[0])
    return {"the best of those with the best mean": first, "the best of all": best}


def _commands(
    directory: SweepDirectory, winners: Mapping[str, Result], modules: Modules
) -> list[str]:
    """How to train the winners again, or why no command does."""
    lines = []
    programs = directory.read_programs()
    for about, trial in winners.items():
        experiment = directory.open_trial(trial.number).read_config(modules)
        lines += ["", f"trial {trial.number}, {about}, is trained again by"]
        try:
            lines.append(f"  {sweep_winner.command(directory, trial, experiment)}")
            lines.append(_how_alike(trial, programs.get(str(trial.program), {})))
        except UserError as error:
            lines[-1] = f"trial {trial.number}, {about}: no command trains it again, as {error}; "
            lines[-1] += f"its settings are in {trial.directory / 'config.json'}"
    return lines


def _how_alike(trial: Result, program: Mapping[str, Any]) -> str:
    """How far the command gives the same run, and where the trial's own parameters are."""
    own = f"the trial itself is in {shlex.quote(str(trial.directory))}"
    if not program.get("together"):
        return f"from the same seeds and batches, to the same numbers; {own}"
    return (
        "from the same seeds and batches, but not at once with other trials, which changes how "
        f"sums are rounded: to about 6 digits, fewer where training is long or unstable; {own}"
    )


def run(arguments: list[str]) -> int:
    """Parses the command line and reports."""
    call_with_options(sweep_report, arguments, "nnjax sweep-report")
    return 0
