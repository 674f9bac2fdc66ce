"""Options of ``nnjax sweep``: the space, the search, and every option of the experiment."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import tyro

from nnjax import fields
from nnjax.cli import files, options
from nnjax.errors import UserError
from nnjax.field_types import conform_value
from nnjax.sweeps.plan import space
from nnjax.sweeps.plan.sweep import Search, Sweep
from nnjax.training.experiment import Experiment

OVER = "--over"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to search, where to record it, and by how many processes.

    Attributes:
      experiment: what the trials have in common.
      search: how to search the space.
      sweep_dir: the sweep's directory; by default a new one, sweeps/NAME/TIME-ID. A directory that
        holds the same sweep already continues it.
      workers: processes that train, each on its own device: a number, or "all" for one on each GPU
        (on each core, where there is no GPU); 1 trains in this process.
      spread: devices that share the trials which one process trains at once; 0 takes all.
      engine: "processes" starts the workers on this machine, "ray" as tasks of a Ray cluster.
      ray_address: of the cluster; None starts one on this machine.
      dry_run: print the plan with the time and memory it takes, measured, and train nothing.
      quiet: show nothing but errors and the last table.
    """

    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    search: Annotated[Search, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Search)
    sweep_dir: Path | None = None
    workers: str = "1"
    spread: int = 1
    engine: Literal["processes", "ray"] = "processes"
    ray_address: str | None = None
    dry_run: bool = False
    quiet: bool = False

    def __post_init__(self):
        workers = self.workers
        if workers != "all" and not (workers.isdecimal() and int(workers) > 0):
            raise UserError(f"the number of workers is a positive number or 'all', not '{workers}'")
        # Checked here: worker processes would fail without a message.
        if self.spread < 0:
            raise UserError(
                f"--spread takes a positive number of devices, or 0 for all, not {self.spread}"
            )


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A parsed command line.

    Attributes:
      sweep: the experiment, and the values to try.
      options: where to record it, and by how many processes.
      over: the words after each ``--over``, by the field.
      words: the other words.
    """

    sweep: Sweep
    options: Options
    over: dict[str, list[str]]
    words: list[str]


def parse(module: ModuleType, arguments: Sequence[str], program: str) -> Parsed:
    """Parses the options of a command line, on top of a config file.

    Args:
      module: the config file; it defines ``config`` or ``sweep``.
      arguments: the words after its name.
      program: the words before the options, for the help text.

    Raises:
      UserError: an option or a field is unknown, or a value does not fit.
    """
    over, words = _split(list(arguments))
    defined = getattr(module, "sweep", None)
    if defined is not None and not isinstance(defined, Sweep):
        raise UserError(f"{module.__file__} defines a sweep that is no Sweep(...)")
    if defined is None:
        base = files.read_config(module)
    else:
        base = files.check_types(defined.experiment, module)
    search = Search() if defined is None else defined.search
    parsed: Options = options.parse(base, words, program, Options, search=search)
    dimensions = dict(defined.over) if defined else {}
    for path, given in over.items():
        dimensions[_field(parsed.experiment, path)] = _dimension(parsed.experiment, path, given)
    sweep = Sweep(
        experiment=parsed.experiment,
        over=dimensions,
        suggest=defined.suggest if defined else None,
        allowed=defined.allowed if defined else None,
        search=parsed.search,
    )
    return Parsed(sweep, parsed, over, words)


def _split(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Separates ``--over FIELD VALUES...`` from the other words; negative numbers are values."""
    over: dict[str, list[str]] = {}
    words: list[str] = []
    while arguments:
        word = arguments.pop(0)
        if word != OVER:
            words.append(word)
            continue
        values: list[str] = []
        while arguments and not arguments[0].startswith("--"):
            values.append(arguments.pop(0))
        if not values:
            raise UserError("--over needs a field and values, as in --over seed 0..4")
        if values[0] in over:
            raise UserError(f"--over {values[0]} is there twice; give all its values at once")
        over[values[0]] = values[1:]
    return over, words


def _field(experiment: Experiment, path: str) -> str:
    """The path of a field, with underscores.

    Raises:
      UserError: there is no such field; the message suggests the nearest.
    """
    try:
        fields.get(experiment, path)
    except UserError as error:
        raise UserError(f"--over {path}: {error}") from None
    return path.replace("-", "_")


def _dimension(experiment: Experiment, path: str, words: Sequence[str]) -> space.Dimension:
    """The values of a field, each parsed like the option of the field."""
    name = _field(experiment, path)

    def read(word: str) -> Any:
        if isinstance(fields.get(experiment, name), bool):
            return _truth(path, word)
        # A word with spaces is several values, but only for a field that holds a tuple.
        values = word.split() if fields.is_several(experiment, name) else [word]
        given = [f"--{path.replace('_', '-')}", *values]
        try:
            if (number := _number(experiment, name, word)) is not None:
                return number
            parsed = options.parse(experiment, given, "nnjax sweep", Options)
        except UserError as error:
            raise UserError(f"--over {path}: {error}") from None
        return fields.get(parsed.experiment, name)

    return space.parse(path, words, read)


def _number(experiment: Experiment, name: str, word: str) -> float | None:
    """The value of a field that is a plain number, checked by the experiment; None for others.

    This is faster than the parser of the command line, which parses every option to parse one.

    Raises:
      UserError: the number does not fit the field.
    """
    kind, _ = fields.paths(experiment).get(name, (None, None))
    if kind not in (int, float):
        return None
    try:
        number = kind(word)
    except ValueError:
        return None
    changed = fields.replace(experiment, {name: number})
    return conform_value(changed, name, fields.get(changed, name))


def _truth(path: str, word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise UserError(f"--over {path} takes true and false, not '{word}'")
    return word.lower() == "true"
