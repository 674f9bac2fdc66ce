"""The options of ``nnjax train``, which tyro makes from the fields of the experiment.

``--optimizer.learning-rate 0.05`` sets a field. ``--optimizer adam`` replaces the object in a field
by one of another class, whose fields become the options.
"""

import contextlib
import dataclasses
import difflib
import functools
import io
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from nnjax import fields
from nnjax.calls import function_name
from nnjax.errors import UserError, nearest
from nnjax.field_types import conform, conform_value
from nnjax.runs import public_names
from nnjax.training.experiment import Experiment

DATA_DIR = "data.data-dir"
"""The option that ``--data-dir`` is short for, as in ``nnjax data``."""

CELL = "cell"
"""The field of a recurrent cell; a cell that replaces another keeps its number of features."""

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


def parse(
    experiment: Experiment,
    arguments: list[str],
    program: str,
    kind: type = Options,
    **defaults: Any,
) -> Any:
    """Parses options, with the values of an experiment as defaults.

    Args:
      experiment: the defaults.
      arguments: the words after the experiment's name.
      program: the words before the options, for the help text.
      kind: the dataclass to return: an ``experiment`` and other options.
      **defaults: default values of the other options, where they differ from those of ``kind``.

    Returns:
      An instance of ``kind``.

    Raises:
      UserError: an option is unknown or its value does not fit.
    """
    experiment, arguments = _choose_classes(experiment, _equals_apart(arguments))
    experiment, arguments = _choose_functions(experiment, arguments)
    experiment = _choose_duration(experiment, arguments)
    if _has(experiment, DATA_DIR):
        arguments = [f"--{DATA_DIR}" if word == "--data-dir" else word for word in arguments]
    parsed = parse_with_tyro(
        kind,
        arguments,
        program,
        default=kind(experiment, **defaults),
        description=_description(experiment),
    )
    conformed = conform(parsed.experiment)
    return (
        parsed
        if conformed is parsed.experiment
        else dataclasses.replace(parsed, experiment=conformed)
    )


def _description(experiment: Experiment) -> str:
    """The beginning of the help text: options that are not fields, and bounds of numbers."""
    choices = [
        f"--{path} NAME takes another: {', '.join(_choices()[path])}."
        for path in _choosers(experiment)
    ]
    hosts = (
        "--coordinator HOST:PORT --processes N --process-id K, or --coordinator auto, makes one "
        "run of several processes."
    )
    short = [f"--data-dir DIR is short for --{DATA_DIR} DIR."] * _has(experiment, DATA_DIR)
    within = [
        f"--{path.replace('_', '-')} {one}" for path, one in fields.all_bounds(experiment).items()
    ]
    # tyro joins a line that begins with a letter to the line before.
    limits = [f"{', '.join(within)}."] * bool(within)
    paragraphs = ["Every field of the experiment is an option.", *choices, *short, hosts, *limits]
    return "\n".join(textwrap.fill(text, 80, subsequent_indent="  ") for text in paragraphs)


def call_with_options(function: Callable, arguments: list[str], program: str) -> Any:
    """Calls a function with arguments that tyro parses from the command line.

    Raises:
      UserError: an option is unknown or its value does not fit; and what the function raises.
    """

    # The call comes after parsing, because stderr is captured while tyro parses.
    @functools.wraps(function)
    def later(*given: Any, **named: Any) -> Callable:
        return functools.partial(function, *given, **named)

    return parse_with_tyro(later, arguments, program)()


def parse_with_tyro(target: Any, arguments: list[str], program: str, **settings: Any) -> Any:
    """Calls ``tyro.cli``, and raises its errors as a UserError of one sentence.

    Raises:
      UserError: an option is unknown or its value does not fit.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.cli(
                target,
                args=arguments,
                prog=program,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
                registry=_registry(),
                **settings,
            )
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise UserError(_sentence(captured.getvalue(), target, settings.get("default"))) from None


@functools.cache
def _registry() -> tyro.constructors.ConstructorRegistry:
    """How tyro reads a field that holds, or may hold, a function or a class.

    A field that may hold a plain value or a function, such as a loss, is read as a plain value; the
    function of a config file stays unless an option gives another value. tyro leaves any other
    field alone that holds a function or a class, such as ``flax.linen.relu``: it would take some of
    them for objects with options of their own.
    """
    registry = tyro.constructors.ConstructorRegistry()

    @registry.struct_rule
    def keep_functions(info: Any) -> tyro.constructors.StructConstructorSpec | None:
        value = info.default
        if not callable(value) or fields.is_options(value) or _plain_kinds(info.type):
            return None
        return tyro.constructors.StructConstructorSpec(instantiate=lambda: value, fields=())

    @registry.primitive_rule
    def read_plain(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
        if not (kinds := _plain_kinds(info.type)):
            return None
        union: Any = typing.Union[kinds]  # noqa: UP007
        kind = tyro.constructors.PrimitiveTypeInfo.make(union, set())
        plain = registry.get_primitive_spec(kind)
        if not isinstance(plain, tyro.constructors.PrimitiveConstructorSpec):
            return None
        return dataclasses.replace(
            plain,
            is_instance=lambda value: callable(value) or plain.is_instance(value),
            str_from_instance=lambda value: (
                [function_name(value)] if callable(value) else plain.str_from_instance(value)
            ),
        )

    return registry


def _plain_kinds(kind: Any) -> tuple[Any, ...]:
    """The other types of a union of plain types and functions; () for any other type."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return ()
    kinds = typing.get_args(kind)
    others = tuple(one for one in kinds if one is not Callable)
    is_plain = len(others) < len(kinds) and not any(map(dataclasses.is_dataclass, others))
    return others if is_plain else ()


def _sentence(box: str, target: Any, default: Any) -> str:
    """The error in tyro's box as one sentence."""
    message = _message(box)
    sentence = " ".join(message.split()).rstrip(".")
    unknown = re.search(r"Unrecognized options: ([^\s,]+)", sentence)
    if unknown and not unknown[1].startswith("-"):
        return f"'{unknown[1]}' belongs to no option; options begin with --, see --help"
    if unknown:
        return f"unknown option {unknown[1]}" + _suggestion(unknown[1], default)
    rephrased = _missing(sentence) or _wrong_type(sentence, box) or _wrong_choice(sentence)
    return rephrased or sentence or "the options could not be read; see --help"


def _message(box: str) -> str:
    """The first part of the box after its heading: the error message.

    The heading is part of the upper edge of the box. On a terminal without UTF-8 it is a line with
    a rule of hyphens below.
    """
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│ ") for line in box.splitlines()]
    drawn = any(line.startswith("╭") for line in lines)
    parts = [[]]
    for line in lines:
        if re.fullmatch("-{3,}|[╭╰]?─.*", line):
            parts.append([])
        else:
            parts[-1].append(line)
    return " ".join(next((part for part in parts[not drawn :] if any(part)), []))


def _missing(sentence: str) -> str | None:
    """A sentence for tyro's error about missing arguments; None for other errors."""
    missing = re.match(r"Missing from (nnjax [a-z -]+): (.*)", sentence)
    if not missing:
        return None
    # "PATH the run directory. (required) --from PATH the folder that holds it. (required)"
    parts = [part.strip() for part in missing[2].split(". (required)") if part]
    needed = [re.sub(r"^(--\S+ \S+) (.*)", r"\1 (\2)", re.sub("^[A-Z]+ ", "", p)) for p in parts]
    return f"{missing[1]} needs {' and '.join(needed)}"


def _wrong_type(sentence: str, box: str) -> str | None:
    """A sentence for tyro's error about a value of the wrong type; None for other errors."""
    wrong = re.match(r"Error parsing (--\S+): (.*)", sentence)
    words = wrong and re.search(r"(?:from|arguments:?) \[(.*?)\]|: '([^']*)'$", wrong[2])
    if not wrong or not words:
        return None
    listed = words[1] is None
    given = words[2] if listed else " ".join(re.findall("'([^']*)'", words[1]))
    # The help text of the option follows: "--epochs {None}|FLOAT", "--model.features [INT [INT",
    # "--data.size {None}|{INT INT}".
    text = " ".join(box.split()).replace("{None}|", "")
    form = re.search(rf"{re.escape(wrong[1])} ([^a-z]+)", text) or ["", ""]
    kind = "a value of its type"
    if "FLOAT" in form[1] or "float" in wrong[2]:
        kind = "a number"
    elif "INT" in form[1] or "int()" in wrong[2]:
        kind = "a whole number"
    count = len(re.findall("INT|FLOAT", form[1]))
    if "[" in form[1] or count > 1:
        several = "" if "[" in form[1] else f"{count} "
        kind = several + kind.removeprefix("a ") + "s"
    return f"{wrong[1]} takes {kind}, not '{given}'"


def _wrong_choice(sentence: str) -> str | None:
    """A sentence for tyro's error about an unknown choice; None for other errors."""
    wrong = re.match(r"invalid choice '(.*)' for argument '(.*)'. Expected one of (.*)", sentence)
    if not wrong:
        return None
    choices = re.findall("'([^']*)'", wrong[3])
    hint = nearest(wrong[1], choices) or "; choose one of " + ", ".join(choices)
    return f"{wrong[2]} has no choice '{wrong[1]}'{hint}"


# Names of options in other projects.
SYNONYMS = {"lr": "learning-rate", "bs": "batch-size", "wd": "weight-decay"}


def _suggestion(option: str, default: Any) -> str:
    """A hint at the known option most like an unknown one, by its path or the last part of it."""
    if not hasattr(default, "experiment"):
        return "; see --help"
    name = option.lstrip("-")
    known = [*_option_names(default), *_choosers(default.experiment)]
    # "learning-rate" is most like the last part of "optimizer.learning-rate".
    tails = {path.rpartition(".")[2]: path for path in known}
    matches = difflib.get_close_matches(SYNONYMS.get(name, name), [*tails, *known], cutoff=0.5)
    if not matches:
        return "; see --help"
    return f", did you mean '--{tails.get(matches[0], matches[0])}'?"


def _option_names(options: Options) -> list[str]:
    """The names of all options; the option of a switch that is on is ``--no-...``."""
    names = []
    for path, (_, value) in fields.paths(options).items():
        group, dot, name = path.rpartition(".")
        names.append((group + dot + "no-" * (value is True) + name).replace("_", "-"))
    return names


def _equals_apart(arguments: list[str]) -> list[str]:
    """Splits ``--name=value`` into two words, as tyro does, unless the value begins with --."""
    apart = []
    for word in arguments:
        name, equals, value = word.partition("=")
        two = word.startswith("--") and equals and not value.startswith("--")
        apart += [name, value] if two else [word]
    return apart


def _choices() -> Mapping[str, Mapping[str, Any]]:
    """The classes that an option may choose for a field, by the path of the field."""
    from nnjax import data, optimizers, schedules, solvers
    from nnjax.layers import cells

    return {
        **{f"model.{part}.{CELL}": cells.NAMES for part in ("recurrent", "encoder", "decoder")},
        "data": data.NAMES,
        "optimizer": optimizers.NAMES,
        "optimizer.schedule": schedules.NAMES,
        "solver": solvers.NAMES,
    }


def _choosers(experiment: Experiment) -> list[str]:
    """The paths of this experiment's fields whose class an option may choose."""
    return [path for path in _choices() if _has(experiment, path)]


def _has(experiment: Experiment, path: str) -> bool:
    try:
        fields.get(experiment, path)
    except UserError:
        return False
    return True


def _choose_classes(experiment: Experiment, arguments: list[str]) -> tuple[Experiment, list[str]]:
    """Applies ``--optimizer NAME`` and similar options; returns the other words too."""
    for path, classes in _choices().items():
        option = f"--{path}"
        while option in arguments:
            place = arguments.index(option)
            name = arguments[place + 1] if place + 1 < len(arguments) else ""
            if not _has(experiment, path):
                break
            chosen = _instance(name, classes, option)
            if path.endswith(f".{CELL}"):
                chosen = chosen.clone(features=fields.get(experiment, path).features)
            # Not checked yet: an option that tyro parses later may replace a field that conflicts
            # with this one. tyro then constructs every dataclass again, with its checks.
            experiment = fields.replace(experiment, {path: chosen}, check=False)
            arguments = arguments[:place] + arguments[place + 2 :]
    return experiment, arguments


def _choose_functions(experiment: Experiment, arguments: list[str]) -> tuple[Experiment, list[str]]:
    """Applies ``--loss optax.losses.huber_loss`` and the like; returns the other words too."""
    others: list[str] = []
    for option, values in _grouped(arguments):
        path = option.removeprefix("--")
        functions = [public_names.find(value) if "." in value else None for value in values]
        takes = (
            option.startswith("--")
            and any(map(callable, functions))
            and _takes_functions(experiment, path)
        )
        if not takes:
            others += [option, *values]
            continue
        chosen = tuple(
            function if callable(function) else value
            for function, value in zip(functions, values, strict=True)
        )
        several = fields.is_several(experiment, path)
        value = conform_value(experiment, path, chosen if several else chosen[0])
        experiment = fields.replace(experiment, {path: value}, check=False)
    return experiment, others


def _grouped(arguments: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with the words up to the next option."""
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        values = list(itertools.takewhile(lambda word: not word.startswith("--"), rest))
        rest = rest[len(values) :]
        yield option, values


def _takes_functions(experiment: Experiment, path: str) -> bool:
    """Whether a field may hold a function, or several."""
    if not _has(experiment, path):
        return False
    kind = fields.kind(experiment, path)
    return any(Callable in typing.get_args(one) for one in (kind, *typing.get_args(kind)))


def _instance(name: str, classes: Mapping[str, Any], option: str) -> Any:
    """An instance of the named class with default values; ``tfds:NAME`` passes it NAME."""
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
    """Removes the experiment's own duration if the command line gives another one."""
    given = [name for name in DURATIONS if f"--{name}" in arguments]
    if len(given) != 1:
        return experiment
    cleared: dict[str, Any] = dict.fromkeys(DURATIONS) | {given[0]: 1}
    training = dataclasses.replace(experiment.training, **cleared)
    return dataclasses.replace(experiment, training=training)
