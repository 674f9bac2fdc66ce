"""Configs to JSON and back: exactly, and nothing but configs."""

import dataclasses
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flax.linen as nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Digits, Preprocess
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import CNN
from nnjax.optimizers import Adam, Group
from nnjax.runs.config_json import from_json, to_json
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training


@dataclasses.dataclass(frozen=True)
class Anything:
    """One field of anything."""

    value: Any = None
    other: int = 3


class Layer(nn.Module):
    """A module with a module in it."""

    inner: nn.Module | None = None
    width: int = 2


HERE = {__name__: sys.modules[__name__]}
"""Where the classes of this file are."""


def through_text(config):
    return from_json(json.loads(json.dumps(to_json(config), allow_nan=False)), HERE)


def test_an_experiment_comes_back():
    experiment = Experiment(
        data=Digits(train=500, preprocess=Preprocess(scale=1 / 16, mean=(0.1,), std=(0.3,))),
        learner=Supervised(
            CNN(features=(4,), kernel_sizes=(3,), hidden=(5,)),
            optimizer=Adam(
                learning_rate=0.1 + 0.2,
                schedule=Cosine(),
                groups=(Group("output", frozen=True), Group(".*")),
            ),
            l2=1e-30,
        ),
        training=Training(epochs=2.5, patience=3),
    )
    assert through_text(experiment) == experiment


def test_modules_in_modules():
    config = Layer(inner=Layer(width=7))
    assert through_text(config) == config
    assert to_json(config)["inner"]["width"] == 7
    assert "parent" not in to_json(config)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
values = st.recursive(
    scalars | st.builds(Path, st.sampled_from(["a", "a/b"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.builds(Anything, inner)
    ),
    max_leaves=8,
)


def types(value):
    """The same with types in the place of numbers, which compare equal across types."""
    if isinstance(value, Anything):
        return Anything, types(value.value)
    if isinstance(value, list | tuple):
        return type(value), [types(item) for item in value]
    if isinstance(value, dict):
        return dict, {key: types(item) for key, item in value.items()}
    return type(value)


@given(values)
def test_any_value_comes_back_with_its_type(value):
    config = Anything(value)
    assert through_text(config) == config
    assert types(through_text(config)) == types(config)


def test_numbers_that_are_not_finite():
    assert math.isnan(through_text(Anything(math.nan)).value)
    assert through_text(Anything(-math.inf)).value == -math.inf


def test_numpy_numbers_are_numbers():
    assert through_text(Anything((np.float32(0.5), np.int64(3)))).value == (0.5, 3)


def test_missing_fields_take_their_defaults():
    data = to_json(Anything(1, other=9))
    del data["other"]
    assert from_json(data, HERE) == Anything(1, other=3)


def test_classes_of_a_file_that_cannot_be_imported():
    module = ModuleType("nnjax_file_nowhere")
    module.Anything = Anything
    data = {"class": "nnjax_file_nowhere.Anything", "value": 1}
    assert from_json(data, {"nnjax_file_nowhere": module}) == Anything(1)
    with pytest.raises(UserError, match="it is none of nnjax's own"):
        from_json(data)
    with pytest.raises(UserError, match="its module cannot be imported from here"):
        from_json(data, trust=True)


@pytest.mark.parametrize("value", [print, {1: 2}, {1, 2}, object(), np.zeros(2), 1j, b"x"])
def test_what_cannot_be_saved(value):
    with pytest.raises(UserError, match=r"Anything.value is .* which a saved config cannot hold"):
        to_json(Anything(value))


def test_a_class_inside_a_function():
    @dataclasses.dataclass(frozen=True)
    class Local:
        pass

    with pytest.raises(UserError, match="defined inside a function"):
        to_json(Local())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "this is no saved config"),
        ({"features": 3}, "this is no saved config"),
        ({"class": 3}, "names a class 3, which is no class path"),
        ({"class": "os.system"}, "unknown class 'os.system'"),
        ({"class": "builtins.print"}, "unknown class 'builtins.print'"),
        ({"class": "pathlib.Path"}, "unknown class 'pathlib.Path'"),
        ({"class": "nosuch.Thing"}, "it is none of nnjax's own"),
        ({"class": "nnjax.models.dense.mlp.MLPP"}, "did you mean 'MLP'?"),
        ({"class": "nnjax.models.dense.mlp.MLP", "feature": []}, "did you mean 'features'?"),
        ({"class": "nnjax.models.dense.mlp.MLP", "features": {"odd": 1}}, "cannot hold {'odd': 1}"),
        ({"class": "nnjax.data.Npz", "path": {"path": "a\0b"}}, r"cannot hold {'path': 'a\x00b'}"),
    ],
)
def test_damaged_configs(data, sentence):
    with pytest.raises(UserError) as raised:
        from_json(data)
    assert sentence in str(raised.value)
