"""Whether the fields of nested options hold what they are declared to hold."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from nnjax import fields
from nnjax.cli import files
from nnjax.data import Blobs, Digits, ImageFolder
from nnjax.data.augmentation import Augment
from nnjax.errors import UserError
from nnjax.field_types import conform
from nnjax.learners import Supervised
from nnjax.models import CNN, MLP
from nnjax.optimizers import SGD, Adam
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

if TYPE_CHECKING:
    from collections import OrderedDict

GOOD = Experiment(
    data=Blobs(),
    learner=Supervised(model=MLP(features=(5,)), optimizer=Adam(schedule=Cosine())),
    training=Training(epochs=2),
)


def changed(path, value):
    return fields.replace(GOOD, {path: value}, check=False)


@pytest.mark.parametrize("name", files.config_files())
def test_every_config_conforms(name):
    config = files.read_config(files.load(files.find_config(name)))
    assert conform(config) is config


def test_what_people_write_for_paths_and_tuples_is_taken():
    given = Experiment(
        data=ImageFolder(path="here", size=[3, 4]),
        learner=Supervised(model=CNN(hidden=[5]), metrics=["accuracy"]),
        training=Training(epochs=2),
    )
    config = conform(given)
    assert (config.data.path, config.data.size) == (Path("here"), (3, 4))
    assert config.learner.metrics == ("accuracy",)
    assert config.learner.model.hidden == (5,)
    # Whole numbers are numbers, and so are NumPy's.
    narrow = conform(changed("data.examples", np.int64(5))).data.examples
    assert (type(narrow), narrow) == (int, 5)
    for features in (tuple(np.array([8, 9])), np.array([8, 9])):
        taken = conform(changed("model.features", features)).learner.model.features
        assert (taken, {type(one) for one in taken}) == ((8, 9), {int})
    rate = conform(changed("optimizer.learning_rate", np.float32(0.5)))
    assert rate.learner.optimizer.learning_rate == 0.5
    assert conform(changed("optimizer.learning_rate", 1)).learner.optimizer.learning_rate == 1


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("model.features", (6.0,), r"model.features must be of type tuple[int, ...], not (6.0,)"),
        ("model.activation", "rleu", "model.activation must be one of 'identity', 'threshold', "),
        ("model", MLP, "model is the class MLP: call it, as MLP()"),
        (
            "optimizer",
            "adam",
            "optimizer must be a value of type Optimizer or a function, ",
        ),
        ("optimizer.schedule", SGD(), "optimizer.schedule must be a value of type Schedule or a f"),
        (
            "optimizer.learning_rate",
            "0.1",
            "optimizer.learning_rate must be a number or a funct",
        ),
        ("data.examples", "5", "data.examples must be a whole number, not '5'"),
        ("learner.metrics", "accuracy", "metrics must be of type tuple["),
        ("optimizer.nesterov", 1, ""),
    ],
)
def test_another_type_is_refused_by_its_path(path, value, sentence):
    start = GOOD if sentence else changed("optimizer", SGD())
    config = fields.replace(start, {path: value}, check=False)
    with pytest.raises(UserError) as caught:
        conform(config)
    assert str(caught.value).startswith(sentence or "optimizer.nesterov must be True or False")


def test_a_path_has_no_nul():
    with pytest.raises(UserError, match=r"^path is 'a\\x00b', with a NUL, which no path has$"):
        conform(ImageFolder(path="a\0b"))


def test_fields_of_augmentation_are_reached():
    data = dataclasses.replace(Digits(), augment=Augment(zoom=0.1))
    object.__setattr__(data.augment, "shift", 1.5)
    with pytest.raises(UserError, match=r"^data\.augment\.shift must be a whole number"):
        conform(dataclasses.replace(GOOD, data=data))


def test_types_that_cannot_be_found_out_are_left_alone():
    @dataclasses.dataclass(frozen=True)
    class Own:
        order: "OrderedDict" = 3

    assert conform(Own()) == Own()

    @dataclasses.dataclass(frozen=True)
    class Chooses:
        kind: Literal["a", "b"] = "a"

    with pytest.raises(UserError, match="kind must be one of 'a', 'b', not 'c'"):
        conform(Chooses("c"))
