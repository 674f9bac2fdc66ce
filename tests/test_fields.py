"""Fields by dotted path."""

import dataclasses
from collections.abc import Callable
from typing import Annotated

import jax
import pytest
import tyro

from nnjax import fields
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam


@dataclasses.dataclass(frozen=True)
class Outer:
    """Holds a learner whose name the command line leaves out."""

    learner: Annotated[Supervised, tyro.conf.arg(name="")]
    seed: int = 0


LEARNER = Supervised(MLP(features=(5,), outputs=3), optimizer=SGD(learning_rate=0.5))
OUTER = Outer(LEARNER)


def test_get_follows_a_path_and_reads_hyphens():
    assert fields.get(LEARNER, "optimizer.learning_rate") == 0.5
    assert fields.get(LEARNER, "optimizer.learning-rate") == 0.5
    assert fields.get(LEARNER, "model") is LEARNER.model
    assert fields.get(LEARNER, "") is LEARNER


def test_a_hidden_name_may_be_left_out_or_given():
    assert fields.get(OUTER, "model.features") == (5,)
    assert fields.get(OUTER, "learner.model.features") == (5,)


def test_replace_changes_only_what_is_named():
    changed = fields.replace(
        OUTER, {"optimizer.learning_rate": 2.0, "model.features": (7, 8), "seed": 3}
    )
    assert changed.learner.optimizer == SGD(learning_rate=2.0)
    assert changed.learner.model.features == (7, 8)
    assert changed.learner.model.outputs == 3
    assert changed.seed == 3
    assert OUTER.learner.model.features == (5,)


def test_a_field_can_be_replaced_whole_and_in_part_at_once():
    changed = fields.replace(LEARNER, {"optimizer": Adam(), "optimizer.b1": 0.5})
    assert changed.optimizer == Adam(b1=0.5)


def test_changes_of_one_dataclass_are_made_at_once():
    @dataclasses.dataclass(frozen=True)
    class Interval:
        low: int = 0
        high: int = 1

        def __post_init__(self):
            assert self.low < self.high

    assert fields.replace(Interval(), {"low": 5, "high": 6}) == Interval(5, 6)
    with pytest.raises(AssertionError):
        fields.replace(Interval(), {"low": 5})
    half = fields.replace(Interval(), {"low": 5}, check=False)
    assert fields.replace(half, {"high": 6}) == Interval(5, 6)


def test_values_may_be_traced():
    @jax.jit
    def program(rate):
        return fields.replace(LEARNER, {"optimizer.learning_rate": rate}).optimizer.learning_rate

    assert float(program(0.25)) == 0.25


def test_paths_names_every_leaf_with_type_and_value():
    found = fields.paths(OUTER)
    assert found["model.features"] == (tuple[int, ...], (5,))
    assert found["optimizer.learning_rate"] == (float | Callable, 0.5)
    assert found["seed"] == (int, 0)
    assert not any(path.startswith("learner") for path in found)
    assert not any("parent" in path for path in found)


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("seed", True),
        ("model.outputs", True),  # int | None
        ("optimizer.accumulation-steps", True),
        ("optimizer.learning_rate", False),
        ("optimizer.clip_norm", False),  # float | None
        ("model.features", False),  # tuple[int, ...]
        ("model", False),
    ],
)
def test_the_declaration_says_what_takes_whole_numbers(path, whole):
    assert fields.is_whole(OUTER, path) == whole


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "optimizer.learning_rat",
            "unknown field 'learning_rat' of SGD, did you mean 'learning_rate'",
        ),
        ("modle", "unknown field 'modle' of Outer"),
        ("seed.more", "there is no field 'more' in 0, which has no fields"),
    ],
)
def test_an_unknown_path_is_refused(path, message):
    with pytest.raises(UserError, match=message):
        fields.get(OUTER, path)
    with pytest.raises(UserError, match=message):
        fields.replace(OUTER, {path: 1})
