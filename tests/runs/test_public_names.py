"""Public names: every config has one, old ones still stand for the same, and nothing else does."""

import dataclasses
import functools
import importlib
import json
import sys
from types import ModuleType

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest

from nnjax import fields, losses
from nnjax.cli import files
from nnjax.errors import UserError
from nnjax.runs import config_json, public_names
from nnjax.runs.public_names import PACKAGES, find, name_of


def public_dataclasses():
    """Every public dataclass of nnjax, by its shortest name."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in vars(module):
            value = find(f"{package}.{name}")
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                found[name_of(value)] = value
    return found


@pytest.mark.parametrize("name", sorted(public_dataclasses()))
def test_a_public_class_is_found_by_its_names(name):
    cls = public_dataclasses()[name]
    package, _, last = name.rpartition(".")
    assert name in {f"{one}.{last}" for one in PACKAGES}
    assert find(name) is cls
    # The file that the class lies in may have been recorded.
    assert find(f"{cls.__module__}.{cls.__qualname__}") is cls
    assert find(f"{package}.some_file.{last}") is cls


@pytest.mark.parametrize("name", sorted(public_dataclasses()))
def test_a_public_class_comes_back(name):
    try:
        value = public_dataclasses()[name]()
    except (TypeError, UserError):
        pytest.skip("it has fields without defaults")
    saved = json.loads(json.dumps(config_json.to_json(value)))
    assert saved["class"] == name
    assert config_json.from_json(saved) == value


@pytest.mark.parametrize("name", sorted(files.config_files()))
def test_a_named_experiment_has_public_names_only(name):
    module = files.load(files.find_config(name))
    config = module.config if hasattr(module, "config") else module.sweep.experiment
    own = f"{public_names.FILE_PREFIX}{name}."
    assert public_names.FILE_PREFIX == files.MODULE_PREFIX
    assert all(one.startswith(own) for one in config_json.own_names(config_json.to_json(config)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nnjax.models.mlp.MLP", "nnjax.models.MLP"),
        ("nnjax.models.cnn.CNN", "nnjax.models.CNN"),
        ("nnjax.data.text.Text", "nnjax.data.Text"),
        ("nnjax.data.toys.Circles", "nnjax.data.Circles"),
        ("nnjax.data.words.Tokeniser", "nnjax.data.Tokeniser"),
        ("nnjax.layers.recurrent.Recurrent", "nnjax.layers.Recurrent"),
        ("nnjax.layers.cells.gru.GRUCell", "nnjax.layers.GRUCell"),
        ("nnjax.schedules.Cosine", "nnjax.schedules.Cosine"),
        ("nnjax.optimizers.algorithms.AdamW", "nnjax.optimizers.AdamW"),
        ("nnjax.training.experiment.Experiment", "nnjax.training.Experiment"),
        ("nnjax.sweeps.sweep.Search", "nnjax.sweeps.Search"),
        ("flax.linen.linear.Dense", "flax.linen.Dense"),
    ],
)
def test_names_of_earlier_versions(old, new):
    assert find(old) is find(new) is not None
    assert name_of(find(old)) == new


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "nnjax.models.os",
        "nnjax.models",
        "nnjax.models.nosuch.Thing",
        "nnjax.models.",
        "nnjax.losses.jax",
        "nnjax.losses.Callable",
        "nnjax.moved.install",
        "jax.numpy.load",
        "jax.numpy.save",
        "jax.numpy.fromfile",
        "jax.numpy.linalg",
        "",
        ".",
    ],
)
def test_nothing_else_is_found(name):
    assert find(name) is None


FUNCTIONS = {
    "nnjax.losses.quadratic": losses.quadratic,
    "optax.losses.huber_loss": optax.losses.huber_loss,
    "optax.adamw": optax.adamw,
    "jax.nn.relu": jax.nn.relu,
    "jax.numpy.tanh": jnp.tanh,
    "jax.numpy.add": jnp.add,
    "flax.linen.avg_pool": nn.avg_pool,
    "jax.numpy.bfloat16": jnp.bfloat16,
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_libraries(name):
    assert name_of(FUNCTIONS[name]) == name
    assert find(name) is FUNCTIONS[name]


@dataclasses.dataclass(frozen=True)
class Holder:
    """A function."""

    function: object


def cube(x):
    return x**3


HERE = {__name__: sys.modules[__name__]}


def through_text(value):
    saved = json.loads(json.dumps(config_json.to_json(Holder(value))))
    return saved["function"], config_json.from_json(saved, HERE).function


def test_functions_in_a_config():
    saved, read = through_text(optax.losses.huber_loss)
    assert saved == {"function": "optax.losses.huber_loss"}
    assert read is optax.losses.huber_loss
    saved, read = through_text(cube)
    assert saved == {"function": f"{__name__}.cube"}
    assert read is cube


def test_a_partial_in_a_config():
    saved, read = through_text(functools.partial(optax.adamw, weight_decay=0.1, mask=cube))
    mask = {"function": f"{__name__}.cube"}
    assert saved == {
        "function": "optax.adamw",
        "arguments": {"mask": mask, "weight_decay": 0.1},
    }
    assert (read.func, read.keywords) == (optax.adamw, {"mask": cube, "weight_decay": 0.1})


def local():
    def inner(x):
        return x

    return inner


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (lambda x: x, "Holder.function is the function <lambda>, which a saved config cannot hold"),
        (local(), "Holder.function is the function local.<locals>.inner, which a saved config"),
        (print, "Holder.function is the function print, which a saved config cannot hold; define"),
        (optax.adamw(0.1), "GradientTransformationExtraArgs, whose functions have no names"),
        (optax.cosine_decay_schedule(1.0, 5), "give functools.partial(F, ...) of the function F"),
        (functools.partial(cube, 3), "arguments (3,) that have no names"),
        (functools.partial(lambda x: x, x=3), "is the function <lambda>"),
    ],
)
def test_functions_without_a_name(value, sentence):
    with pytest.raises(UserError) as raised:
        config_json.to_json(Holder(value))
    assert sentence in str(raised.value)


@pytest.mark.parametrize("name", ["os.system", "jax.numpy.save", "builtins.eval", "nowhere.f"])
def test_functions_that_a_config_must_not_name(name):
    saved = {"class": f"{__name__}.Holder", "function": {"function": name}}
    for trust in (False, True):
        with pytest.raises(UserError, match=f"unknown function '{name}'"):
            config_json.from_json(saved, HERE, trust=trust)


def test_what_a_users_file_imported_is_not_its_own():
    """A config.json without trust must not reach the standard library through the user's file."""
    module = ModuleType("nnjax_file_mine")
    exec("import subprocess, os\nfrom os import system\nfrom subprocess import run", vars(module))
    for path in ("subprocess.run", "os.system", "system", "run", "os"):
        with pytest.raises(UserError, match="unknown function"):
            public_names.find_own(
                f"nnjax_file_mine.{path}", {"nnjax_file_mine": module}, trust=True, kind="function"
            )


def test_the_modules_of_a_config():
    assert config_json.modules_of(Holder(cube)) == HERE
    assert fields.names(Holder) == ["function"]
