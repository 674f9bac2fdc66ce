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
    inputs = np.zeros((examples, *shape), np.uint8)
    others = {"left": np.zeros((examples, 2)), "right": np.zeros((examples, 2))}
    split = {"inputs": inputs, "others": others, "targets": np.zeros(examples, np.int32)}
    return Dataset({"train": split}, classes, Preprocess(scale=0.5, std=(2.0,)))


def saved_and_read(data):
    return data_json.from_json(json.loads(json.dumps(data_json.to_json(data))))


def test_a_description_reads_back_the_same():
    data = dataset()
    spec = saved_and_read(data)
    assert dict(spec.stored) == dict(data.stored)
    assert (spec.size("train"), spec.size("test"), spec.classes) == (4, 0, ("a", "b"))
    assert (spec.preprocess, spec.outputs) == (data.preprocess, 2)


def test_texts_and_captions_read_back_the_same():
    data = dataclasses.replace(dataset(), maximum_length=7, preprocessed="left")
    spec = saved_and_read(data)
    assert (spec.maximum_length, spec.preprocessed, spec.complete) == (7, "left", True)
    batch = {"inputs": {"left": np.ones((1, 3)), "right": np.ones((1, 2), np.int16)}}
    prepared = spec.prepare(batch)["inputs"]
    assert prepared["left"].tolist() == [[0.25, 0.25, 0.25]]
    assert prepared["right"].dtype == np.int32


def test_a_record_of_version_0_1_0_is_read():
    saved = data_json.to_json(dataset())
    saved["stored"]["inputs"] = {"source": saved["stored"]["inputs"]}
    for name in ("preprocessed", "maximum_length", "complete"):
        del saved[name]
    spec = data_json.from_json(saved)
    assert (spec.preprocessed, spec.maximum_length, spec.complete) == ("source", None, None)


class Prepared(Dataset):
    def prepare(self, batch, key=None):
        return {**super().prepare(batch, key), "more": 1}


def test_data_that_prepares_batches_in_its_own_way_is_known_for_it():
    plain = dataset()
    own = Prepared(plain.splits, plain.classes, None)
    assert (saved_and_read(plain).complete, saved_and_read(own).complete) == (True, False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"std": (2.001,)}, "the std 2.001, the run was trained with 2 (feature 1)"),
        ({"mean": (1.0,)}, "the mean 1, the run was trained with none (feature 1)"),
        ({"scale": 1.0}, "the preprocessing scale=1.0, the run was trained with 0.5"),
    ],
)
def test_other_preprocessing_is_refused(changed, message):
    data = dataset()
    preprocess = dataclasses.replace(data.preprocess, **changed)
    with pytest.raises(UserError) as raised:
        data_json.check_same(data, dataclasses.replace(data, preprocess=preprocess), sizes=False)
    assert message in str(raised.value)


def test_statistics_may_be_rounded_otherwise():
    data = dataset()
    preprocess = dataclasses.replace(data.preprocess, std=(2.0 + 1e-12,))
    data_json.check_same(data, dataclasses.replace(data, preprocess=preprocess), sizes=True)


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
        (dataset(shape=(5,)), r"inputs (5,)"),
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
