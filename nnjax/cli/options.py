"""Options of ``nnjax train``: made by tyro from the fields of the experiment itself.

Beside ``--optimizer.learning-rate 0.05`` for a field, ``--optimizer adam`` puts another class in a
field's place; its own fields are then the options.
"""

import contextlib
import dataclasses
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from nnjax import fields
from nnjax.errors import UserError, nearest
from nnjax.training.experiment import Experiment

DURATIONS = ("epochs", "steps", "examples")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to run and where to keep it.

    Attributes:
      experiment: the experiment.
      run_dir: the run directory; by default a new one, runs/NAME/TIME-ID.
      dry_run: report shapes, parameters and memory, then stop before any data is read.
      quiet: show nothing but errors and the last table.
    """

    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    run_dir: Path | None = None
    dry_run: bool = False
    quiet: bool = False


def parse(experiment: Experiment, arguments: list[str], program: str) -> Options:
    """Reads options on top of an experiment's own values.

    Args:
      experiment: the defaults.
      arguments: the words after the experiment's name.
      program: the words before the options, for the help text.

    Raises:
      UserError: an option is unknown or its value does not fit.
    """
    experiment, arguments = _choose_classes(experiment, _equals_apart(arguments))
    experiment = _choose_duration(experiment, arguments)
    return parse_with_tyro(Options, arguments, program, default=Options(experiment))


def parse_with_tyro(target: Any, arguments: list[str], program: str, **settings: Any) -> Any:
    """``tyro.cli`` with its errors as one sentence.

    Raises:
      UserError: an option is unknown or its value does not fit.
    """
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard):
            return tyro.cli(
                target,
                args=arguments,
                prog=program,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
                **settings,
            )
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise UserError(_sentence(heard.getvalue(), target, settings.get("default"))) from None


def _sentence(box: str, target: Any, default: Any) -> str:
    """The message inside the box that tyro draws round an error."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│ ") for line in box.splitlines()]
    message = []
    for line in lines:
        if line.startswith("╭"):
            continue
        if line.startswith(("─", "╰")):
            break
        message.append(line)
    sentence = " ".join(message).strip().rstrip(".")
    unknown = re.search(r"Unrecognized options: ([^\s,]+)", sentence)
    if unknown and not unknown[1].startswith("-"):
        return f"'{unknown[1]}' belongs to no option; options begin with --, see --help"
    if unknown:
        return f"unknown option {unknown[1]}" + _suggestion(unknown[1], default)
    return _wrong_type(sentence) or sentence or "the options could not be read; see --help"


def _wrong_type(sentence: str) -> str | None:
    """What tyro says of a value of the wrong type, in words; None where it says something else."""
    wrong = re.match(r"Error parsing (--\S+): (.*)", sentence)
    value = wrong and re.search(r"'([^']*)'\]?\s*$|instantiated from \['([^']*)'\]", wrong[2])
    if not wrong or not value:
        return None
    kind = "a value of its type"
    if "float" in wrong[2].lower():
        kind = "a number"
    elif "int" in wrong[2].replace("instantiated", "").lower():
        kind = "a whole number"
    return f"{wrong[1]} takes {kind}, not '{value[1] or value[2]}'"


def _suggestion(option: str, default: Any) -> str:
    if not isinstance(default, Options):
        return "; see --help"
    known = [f"--{name}" for name in _option_names(default)]
    hint = nearest(option, known)
    if not hint:
        # "--learning-rate" is nearest to the last part of "--optimizer.learning-rate".
        tails = {"--" + name.rpartition(".")[2]: name for name in known}
        match = nearest(option, tails)
        hint = f", did you mean '{tails[match.split(chr(39))[1]]}'?" if match else "; see --help"
    return hint


def _option_names(options: Options) -> list[str]:
    return [name.replace("_", "-") for name in fields.paths(options)]


def _equals_apart(arguments: list[str]) -> list[str]:
    """Splits ``--name=value`` in two, as tyro also reads it."""
    apart = []
    for word in arguments:
        name, equals, value = word.partition("=")
        apart += [name, value] if word.startswith("--") and equals else [word]
    return apart


def _choices() -> Mapping[str, Mapping[str, Any]]:
    """The classes that may stand in a field, by the field's path in an experiment."""
    from nnjax import data, optimizers, schedules, solvers

    return {
        "data": data.NAMES,
        "optimizer": optimizers.NAMES,
        "optimizer.schedule": schedules.NAMES,
        "solver": solvers.NAMES,
    }


def _choose_classes(experiment: Experiment, arguments: list[str]) -> tuple[Experiment, list[str]]:
    """Carries out ``--optimizer NAME`` and its like; returns the words that are left."""
    for path, classes in _choices().items():
        option = f"--{path}"
        while option in arguments:
            place = arguments.index(option)
            name = arguments[place + 1] if place + 1 < len(arguments) else ""
            try:
                fields.get(experiment, path)
            except UserError:
                break
            chosen = _instance(name, classes, option)
            experiment = fields.replace(experiment, {path: chosen})
            arguments = arguments[:place] + arguments[place + 2 :]
    return experiment, arguments


def _instance(name: str, classes: Mapping[str, Any], option: str) -> Any:
    """An instance of the named class, all defaults; ``tfds:NAME`` passes NAME to the class."""
    if not name or name.startswith("-"):
        raise UserError(f"{option} needs a name: one of " + ", ".join(classes))
    kind, _, argument = name.partition(":")
    kind = kind.replace("-", "_")
    if kind not in classes:
        hint = nearest(kind, classes) or "; choose one of " + ", ".join(classes)
        raise UserError(f"{option} has no choice '{name}'{hint}")
    try:
        return classes[kind](argument) if argument else classes[kind]()
    except TypeError as error:
        raise UserError(f"{option} {name}: {error}") from None


def _choose_duration(experiment: Experiment, arguments: list[str]) -> Experiment:
    """Makes room for a duration on the command line: it replaces the one in the experiment."""
    given = [name for name in DURATIONS if f"--{name}" in arguments]
    if len(given) != 1:
        return experiment
    cleared: dict[str, Any] = dict.fromkeys(DURATIONS) | {given[0]: 1}
    training = dataclasses.replace(experiment.training, **cleared)
    return dataclasses.replace(experiment, training=training)
