"""The planner finds out which fields only change numbers."""

import dataclasses

import flax.linen as nn
import pytest

from nnjax.optimizers import SGD, Adam
from nnjax.schedules import Cosine
from nnjax.sweeps import Sweep
from nnjax.sweeps.plan.plan import Planner, programs
from nnjax.sweeps.plan.shared_data import SharedData


def plan(experiment, over):
    """The programs of a grid: their arguments and numbers of trials; and why there are several."""
    from nnjax.sweeps.run.conduct import labels_of_grid

    sweep = Sweep(experiment=experiment, over=over)
    planner = Planner(SharedData())
    found = programs(planner, [sweep.trial(labels) for labels in labels_of_grid(sweep)])
    return [(p.arguments, len(trials)) for p, trials in found.values()], planner.reasons


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("optimizer.learning_rate", (0.0, 0.1, 1.0)),
        ("optimizer.b1", (0.8, 0.9)),
        ("optimizer.weight_decay", (0.01, 0.1)),
        ("l2", (0.0, 0.1, 1.0)),
        ("label_smoothing", (0.05, 0.1)),
        ("model.dropout", (0.0, 0.5)),
        ("model.init_scale", (0.5, 1.0, 2.0)),
        ("learner.model.dropout", (0.1, 0.2)),
    ],
)
def test_numbers_are_arguments_of_one_program(digits, path, values):
    assert plan(digits, {path: values}) == ([((path,), len(values))], {})


@pytest.mark.parametrize("path", ["seed", "data_seed"])
def test_seeds_need_no_argument(digits, path):
    assert plan(digits, {path: (0, 1, 2)}) == ([((), 3)], {})


@pytest.mark.parametrize(
    ("path", "values", "reason"),
    [
        ("model.features", ((10,), (20,)), "is no number"),
        ("model.activation", ("relu", "tanh"), "is no number"),
        ("optimizer", (SGD(), Adam()), "is no number"),
        ("optimizer.accumulation_steps", (2, 3), "decides what is computed"),
        ("optimizer.clip_norm", (None, 1.0), "is no number"),
        ("optimizer.weight_decay", (0.0, 0.1), "leaves out, at 0, what other values need"),
        ("batch_size", (32, 64), "changes how long or in which batches training runs"),
        ("epochs", (1, 2), "changes how long or in which batches training runs"),
        ("data.validation", (100, 200), "changes the data"),
    ],
)
def test_what_splits_a_sweep_and_why(digits, path, values, reason):
    found, reasons = plan(digits, {path: values})
    assert [trials for _, trials in found] == [1, 1]
    assert reasons == {path: reason}


class FlaxDropout(nn.Module):
    """A net with Flax's own dropout."""

    rate: float = 0.1
    outputs: int = 10

    @nn.compact
    def __call__(self, inputs, *, train=False):
        hidden = nn.relu(nn.Dense(4)(inputs.reshape(len(inputs), -1)))
        return nn.Dense(self.outputs)(nn.Dropout(self.rate, deterministic=not train)(hidden))


def test_dropout_of_flax_splits_a_sweep_and_the_remedy_is_told(digits):
    learner = dataclasses.replace(digits.learner, model=FlaxDropout())
    experiment = dataclasses.replace(digits, learner=learner)
    found, reasons = plan(experiment, {"model.rate": (0.1, 0.2, 0.3)})
    assert [trials for _, trials in found] == [1, 1, 1]
    assert reasons["model.rate"] == (
        "is the rate of a flax.linen.Dropout, which needs a program for each rate; "
        "nnjax.layers.Dropout takes all rates in one"
    )


def test_what_a_class_has_is_an_argument_where_it_has_it(digits):
    over = {"optimizer": (SGD(), Adam()), "optimizer.learning_rate": (0.01, 0.1, 0.2)}
    found, _ = plan(digits, over)
    assert found == [(("optimizer.learning_rate",), 3)] * 2


def test_numbers_and_shapes_together(digits):
    optimizer = Adam(learning_rate=0.01, schedule=Cosine())
    learner = dataclasses.replace(digits.learner, optimizer=optimizer)
    experiment = dataclasses.replace(digits, learner=learner)
    over = {
        "model.features": ((10,), (20,)),
        "optimizer.learning_rate": (0.1, 0.2),
        "seed": (0, 1, 2),
    }
    found, _ = plan(experiment, over)
    assert found == [(("optimizer.learning_rate",), 6)] * 2
