"""Checkpoints of a run: with which options it can go on, and what they must hold."""

import json
import re

import numpy as np
import pytest

from nnjax.data import Dataset
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.runs.run import Run
from nnjax.training import Training, fit
from nnjax.training.snapshot import batches, check_meta, check_resumable

DRAW = np.random.default_rng(0)
INPUTS = DRAW.normal(size=(96, 4)).astype(np.float32)
DATA = Dataset(
    {"train": {"inputs": INPUTS, "targets": np.arange(96, dtype=np.int32) % 3}}, ["a", "b", "c"]
)
LEARNER = Supervised(MLP(features=(4,)), optimizer=SGD(learning_rate=0.1))
META = {
    "standing": {"best": 0.5, "best_step": 3, "since": 1},
    "position": {},
    "seconds": 1.5,
    "batches": {"batch_size": 8, "data_seed": 0},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 2 epochs in batches of 8: 24 updates."""
    training = Training(epochs=2, batch_size=8)
    run = Run.create("it", training, directory=tmp_path_factory.mktemp("trained") / "run")
    assert fit(LEARNER, DATA, training, run=run).summary["steps"] == 24
    return run


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 16}, "with batch_size 8, and cannot go on with batch_size 16; give batch_"),
        ({"batch_size": 4}, "with batch_size 8, and cannot go on with batch_size 4; give batch_s"),
        ({"batch_size": 0}, "with batch_size 8, and cannot go on with batch_size 96; give batch_"),
        ({"seed": 1}, "with data_seed 0, and cannot go on with data_seed 1; give data_seed 0, or"),
    ],
)
def test_another_batch_size_or_order_is_refused(trained, options, sentence):
    before = (trained.directory / "metrics.jsonl").read_bytes()
    training = Training(epochs=4, **({"batch_size": 8} | options))
    with pytest.raises(
        UserError, match=re.escape(f"run {trained.directory} was trained {sentence}")
    ):
        fit(LEARNER, DATA, training, run=trained, resume=True)
    assert (trained.directory / "metrics.jsonl").read_bytes() == before


def test_a_longer_run_goes_on(trained):
    summary = fit(LEARNER, DATA, Training(epochs=3, batch_size=8), run=trained, resume=True).summary
    assert (summary["steps"], summary["epochs"]) == (36, 3.0)


def test_the_whole_split_is_the_same_batch_by_number_or_by_0():
    assert batches(Training(epochs=1, batch_size=0), 96) == batches(
        Training(epochs=1, batch_size=96), 96
    )


def test_a_run_that_did_not_record_its_batches_has_them_in_its_config(tmp_path):
    run = Run.create("it", Training(epochs=1, batch_size=8), directory=tmp_path / "run")
    config = run.directory / "config.json"
    config.write_text(json.dumps({"training": json.loads(config.read_text())}))
    meta = {name: value for name, value in META.items() if name != "batches"}
    check_resumable(meta, run, Training(epochs=1, batch_size=8, seed=7), 96)
    with pytest.raises(UserError, match="trained with batch_size 8, and cannot go on with batch_s"):
        check_resumable(meta, run, Training(epochs=1, batch_size=9), 96)
    config.write_text("{}")
    check_resumable(meta, run, Training(epochs=1, batch_size=9), 96)


VALUES = (None, True, 3, -0.5, "text", [], [1], {}, {"a": 1})


def test_what_a_checkpoint_holds_beside_the_arrays_is_checked(trained):
    check_meta(META, trained)
    for name in META:
        for value in VALUES:
            wrong = type(value) not in ((dict,) if isinstance(META[name], dict) else (int, float))
            # An empty object is right for a position, and has too few fields for the rest.
            if wrong or (name == "standing"):
                with pytest.raises(UserError, match="was not saved by nnjax: what it holds beside"):
                    check_meta(META | {name: value}, trained)
    for name, right in (("best", (None, 3, -0.5)), ("best_step", (None, 3)), ("since", (3,))):
        for value in VALUES:
            meta = META | {"standing": META["standing"] | {name: value}}
            if any(value is one for one in right):
                check_meta(meta, trained)
            else:
                with pytest.raises(UserError, match="was not saved by nnjax"):
                    check_meta(meta, trained)
