"""What a run knows of its data."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from nnjax.data import Dataset, Preprocess
from nnjax.errors import UserError
from nnjax.runs import data_json
from nnjax.runs.run import Run


def dataset(examples=4, classes=("a", "b"), shape=(3,)):
    inputs = {"left": np.zeros((examples, *shape), np.uint8), "right": np.zeros((examples, 2))}
    split = {"inputs": inputs, "targets": np.zeros(examples, np.int32)}
    return Dataset({"train": split}, classes, Preprocess(scale=0.5, std=(2.0,)))


def saved_and_read(data):
    return data_json.from_json(json.loads(json.dumps(data_json.to_json(data))))


def test_a_description_reads_back_the_same():
    data = dataset()
    spec = saved_and_read(data)
    assert dict(spec.stored) == dict(data.stored)
    assert (spec.size("train"), spec.size("test"), spec.classes) == (4, 0, ("a", "b"))
    assert (spec.preprocess, spec.outputs) == (data.preprocess, 2)


def test_no_preprocessing_and_no_classes():
    data = dataclasses.replace(dataset(), preprocess=None, classes=None)
    spec = saved_and_read(data)
    assert spec.preprocess is None
    assert spec.classes is None
    assert jax.tree.leaves(spec.example(2))[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (dataset(classes=("a", "c")), "has ('a', 'c') as classes, the run was trained on"),
        (dataset(shape=(5,)), r"inputs.left (5,)"),
        (dataset(examples=7), "7 examples, the run began with 4"),
    ],
)
def test_other_data_is_refused(other, message):
    with pytest.raises(UserError) as raised:
        data_json.check_same(saved_and_read(dataset()), other, sizes=True)
    assert message in str(raised.value)


def test_a_trained_run_may_be_measured_on_more_examples():
    data_json.check_same(saved_and_read(dataset()), dataset(examples=9), sizes=False)


@pytest.mark.parametrize("saved", [{}, {"stored": 3}, {"stored": {"inputs": 3}}])
def test_what_is_no_description_is_refused(saved):
    whole = data_json.to_json(dataset())
    with pytest.raises(UserError, match="no description of data"):
        data_json.from_json({**whole, **saved} if saved else saved)


def test_a_run_records_its_data_once_and_checks_it_after(tmp_path):
    run = Run.create("any", Preprocess(), directory=tmp_path / "run")
    assert run.read_data() is None
    run.record_data(dataset())
    run.record_data(dataset())
    with pytest.raises(UserError, match="the run began with 4"):
        run.record_data(dataset(examples=5))
    (run.directory / "data.json").write_text("{")
    with pytest.raises(UserError, match=r"data\.json"):
        run.record_data(dataset())
