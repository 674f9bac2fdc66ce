"""The command that trains a trial of a sweep again, alone."""

import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnjax import fields
from nnjax.cli import files, options, sweep_options
from nnjax.errors import UserError
from nnjax.runs import config_json
from nnjax.sweeps.plan.sweep import Search
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import Result
from nnjax.training.experiment import Experiment


def command(directory: SweepDirectory, trial: Result, experiment: Experiment) -> str:
    """The shell command that trains a trial again, checked to give the same experiment.

    Args:
      directory: of the sweep.
      trial: the trial.
      experiment: of the trial.

    Raises:
      UserError: there is no such command; the message says why.
    """
    if "words" not in directory.settings:
        raise UserError("the sweep was begun from Python, not by 'nnjax sweep'")
    config, defaults = _config(directory)
    chosen = _experiment_options(directory.settings["words"])
    _take_over(chosen, trial.labels, experiment)
    for path, value in _differences(_parse(defaults, chosen), experiment).items():
        _choose(chosen, path, value)
    if _as_saved(_parse(defaults, chosen)) != _as_saved(experiment):
        raise UserError("its settings cannot all be given as options")
    return shlex.join(["nnjax", "train", config, *_words(chosen)])


Chosen = dict[str, list[str]]
"""The words after each option, by its name: ``{"--epochs": ["3"]}``."""


def _config(directory: SweepDirectory) -> tuple[str, Experiment]:
    """The name of the config, and the experiment that it defines."""
    original = directory.settings.get("file")
    if directory.config_file is None or original is None:
        file = files.find_config(directory.name)
        return directory.name, files.read_config(files.load(file))
    # The copy is used where the file was edited meanwhile.
    module = files.load(directory.config_file, Path(original))
    edited = _content(Path(original)) != _content(directory.config_file)
    config = str(directory.config_file if edited else original)
    if not hasattr(module, "config"):
        raise UserError(f"{config} defines a sweep and no config, which 'nnjax train' needs")
    return config, files.read_config(module)


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _experiment_options(words: Iterable[str]) -> Chosen:
    """The options of the experiment among the words of a sweep, without those of the search."""
    chosen: Chosen = {}
    own = {*(field.name for field in (*dataclasses.fields(Search), *_SWEEP_FIELDS))}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            chosen[name] = [value] if equals else []
        elif name:
            chosen[name].append(word)
    return {name: rest for name, rest in chosen.items() if _field(name) not in own}


_SWEEP_FIELDS = [f for f in dataclasses.fields(sweep_options.Options) if f.name != "experiment"]


def _field(option: str) -> str:
    return option.removeprefix("--").removeprefix("no-").replace("-", "_")


def _take_over(chosen: Chosen, labels: Mapping[str, Any], experiment: Experiment) -> None:
    """Sets the options of the fields that were swept."""
    values = {path: fields.get(experiment, path) for path in labels}
    classes = [path for path, value in values.items() if fields.is_options(value)]
    for path in classes:
        # The class of the trial has its defaults, and no option of the class that it replaces.
        for option in [name for name in chosen if name.startswith(f"{_option(path)}.")]:
            del chosen[option]
        chosen[_option(path)] = [str(labels[path])]
    for path, value in values.items():
        if isinstance(value, bool):
            # A switch needs an option only where it differs, which `_differences` finds later.
            _drop_switch(chosen, path)
        elif path not in classes:
            _choose(chosen, path, value)


def _choose(chosen: Chosen, path: str, value: Any) -> None:
    """Sets the option of a field."""
    if isinstance(value, bool):
        _drop_switch(chosen, path)
        chosen[_option(path) if value else _off(path)] = []
    else:
        several = isinstance(value, list | tuple)
        chosen[_option(path)] = [str(item) for item in value] if several else [str(value)]


def _drop_switch(chosen: Chosen, path: str) -> None:
    for form in (_option(path), _off(path)):
        chosen.pop(form, None)


def _option(path: str) -> str:
    return "--" + path.replace("_", "-")


def _off(path: str) -> str:
    """The option that turns a switch off."""
    group, dot, name = path.replace("_", "-").rpartition(".")
    return f"--{group}{dot}no-{name}"


def _parse(defaults: Experiment, chosen: Chosen) -> Experiment:
    return options.parse(defaults, _words(chosen), "nnjax train").experiment


def _words(chosen: Chosen) -> list[str]:
    return [word for option, rest in chosen.items() for word in (option, *rest)]


def _differences(parsed: Experiment, wanted: Experiment) -> Mapping[str, Any]:
    """The fields that the options set to a wrong value, with the right values."""
    found = fields.paths(parsed)
    return {
        path: value
        for path, (_, value) in fields.paths(wanted).items()
        if path in found and found[path][1] != value
    }


def _as_saved(experiment: Experiment) -> Any:
    return config_json.to_json(experiment)
