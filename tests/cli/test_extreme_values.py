"""Extreme numbers for every numeric option: one sentence, or a config that is quickly there."""

import dataclasses
import math
import signal

import pytest

from nnjax import data, fields, optimizers, schedules, solvers
from nnjax.cli import options
from nnjax.data import Blobs
from nnjax.errors import UserError
from nnjax.field_types import conform
from nnjax.learners import FullBatch, Supervised
from nnjax.models import CNN, MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

EXTREMES = (-1, 0, 1, 2**31, 2**32, 2**63, 10**30, -(10**30), math.nan, math.inf, -math.inf)
EXTREMES += (1e300, -1e300, 5e-324)

SECONDS = 5
"""A value that makes something wait is waited for so long."""


def instances(names):
    """What can be made without arguments."""
    for name, cls in names.items():
        try:
            yield name, cls()
        except TypeError:
            continue


def experiments():
    """Experiments with each source, optimizer, schedule and solver in turn, by its name."""
    base = Experiment(
        data=Blobs(),
        learner=Supervised(MLP(features=(3,)), optimizer=SGD(learning_rate=0.1)),
        training=Training(epochs=1),
    )
    made = {"training": base, "steps": fields.replace(base, {"epochs": None, "steps": 3})}
    made["examples"] = fields.replace(base, {"epochs": None, "examples": 3})
    made["cnn"] = fields.replace(base, {"model": CNN()})
    for group, path in (
        (data, "data"),
        (optimizers, "optimizer"),
        (schedules, "optimizer.schedule"),
    ):
        for name, value in instances(group.NAMES):
            made[f"{path} {name}"] = fields.replace(base, {path: value})
    for name, solver in instances(solvers.NAMES):
        learner = FullBatch(MLP(features=(3,)), loss="quadratic", solver=solver)
        made[f"solver {name}"] = fields.replace(base, {"learner": learner})
    return made


EXPERIMENTS = experiments()


def numeric(experiment, name):
    """The paths of the numbers in the part of the experiment that the case is about."""
    part = name.split()[0] if " " in name else ""
    return [
        (path, value)
        for path, (kind, value) in fields.paths(experiment).items()
        if path.startswith(part) and any(word in str(kind) for word in ("int", "float"))
    ]


@pytest.fixture
def in_time():
    """Ends what waits."""

    def give_up(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    yield lambda: signal.alarm(SECONDS)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_extreme_numbers(name, in_time):
    experiment = EXPERIMENTS[name]
    for path, value in numeric(experiment, name):
        for extreme in EXTREMES:
            in_time()
            given = (extreme,) * len(value) if isinstance(value, tuple) else extreme
            try:
                config = conform(fields.replace(experiment, {path: given}))
                config.training.total_steps(100)
                if " " not in name or name.endswith(("blobs", "circles", "digits")):
                    config.data.spec()
            except UserError:
                continue


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--epochs 1e300", "epochs must be at most 2,147,483,647, not 1e+300"),
        ("--steps 9999999999999999999", "steps must be at most 2,147,483,647, not 9,999,999,9"),
        ("--steps 2147483648", "steps must be at most 2,147,483,647, not 2,147,483,648"),
        ("--threads 100000", "threads must be at most 1,024, not 100,000"),
        ("--data.centers 1000000", "data.centers must be at most 10,000, not 1,000,000"),
        ("--data.center-box nan nan", "data.center_box must be a finite number, not nan"),
        ("--data.spread inf", "data.spread must be a finite number, not inf"),
        ("--l2 nan", "the penalty l2 must be at least 0, not nan"),
    ],
)
def test_refused_on_the_command_line(words, sentence):
    with pytest.raises(UserError) as raised:
        options.parse(EXPERIMENTS["training"], words.split(), "nnjax train blobs")
    assert str(raised.value).startswith(sentence)


def test_refused_in_a_sweep(refused):
    sentence = refused("sweep", "blobs", "--over", "threads", 1, 100_000)
    assert sentence == "--over threads: threads must be at most 1,024, not 100,000"


def test_too_many_updates():
    training = Training(examples=2**52, batch_size=1)
    with pytest.raises(UserError, match=r"the run would make 4\.5e\+15 updates, and at most 2,147"):
        training.total_steps(100)
    assert Training(epochs=2).total_steps(256) == 4


def test_the_help_names_the_bounds(nnjax):
    text = " ".join(nnjax("train", "blobs", "--help").out.split())
    assert "--threads at most 1,024" in text
    assert "--data.centers at most 10,000" in text


def test_numbers_of_the_users_own_classes_are_left_alone():
    @dataclasses.dataclass(frozen=True)
    class Own:
        fill: float = math.nan
        mask: int = 2**200

    assert conform(Own()).mask == 2**200
