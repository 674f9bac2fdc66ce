"""Which examples train, validate and test."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnjax.data import Preprocess
from nnjax.data.splits import (
    ImageSplits,
    Selection,
    Splits,
    warn_of_missing_classes,
    warn_of_repeated_examples,
)
from nnjax.data.text.padding import objects
from nnjax.errors import UserError


def numbers(first, last):
    """A stored split whose inputs and targets tell which example it is."""
    identity = np.arange(first, last, dtype=np.float32)
    return {"inputs": identity[:, None], "targets": identity.astype(np.int32)}


def seen(splits):
    return {name: split["targets"].tolist() for name, split in splits.items()}


@given(
    size=st.integers(1, 60),
    test_size=st.integers(0, 10),
    train=st.none() | st.integers(0, 60),
    validation=st.none() | st.integers(0, 30),
    test=st.none() | st.integers(0, 30),
    seed=st.none() | st.integers(0, 5),
)
def test_splits_are_disjoint_and_complete(size, test_size, train, validation, test, seed):
    stored = {"train": numbers(0, size)}
    if test_size:
        stored["test"] = numbers(100, 100 + test_size)
    try:
        splits = Splits(train=train, validation=validation, test=test, seed=seed).select(stored)
    except UserError:
        assume(False)
        return
    examples = [example for split in seen(splits).values() for example in split]
    assert len(set(examples)) == len(examples)
    for split in splits.values():
        np.testing.assert_array_equal(split["inputs"][:, 0], split["targets"])
    if train is None and test is None:
        assert set(examples) == {*range(size), *range(100, 100 + test_size)}
    for name, wanted in (("train", train), ("validation", validation), ("test", test)):
        assert wanted is None or len(splits.get(name, {"targets": ()})["targets"]) == wanted


def test_held_out_examples_come_from_the_end_and_training_ones_from_the_start():
    splits = Splits(train=3, validation=2, test=1).select({"train": numbers(0, 10)})
    assert seen(splits) == {"train": [0, 1, 2], "validation": [7, 8], "test": [9]}


def test_a_fifth_is_the_test_split_where_the_source_has_none():
    assert seen(Splits().select({"train": numbers(0, 10)}))["test"] == [8, 9]


def test_without_a_seed_the_first_of_a_stored_test_split_are_taken():
    stored = {"train": numbers(0, 5), "test": numbers(100, 105)}
    assert seen(Splits(test=2).select(stored))["test"] == [100, 101]


def class_by_class(*counts):
    """A stored split sorted by class, with so many examples of each."""
    targets = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return {"inputs": np.arange(len(targets), dtype=np.float32)[:, None], "targets": targets}


@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize("seed", [0, 7])
def test_part_of_a_stored_split_is_a_sample_in_which_every_class_has_its_share(name, seed):
    stored = {"train": class_by_class(5, 5, 5), name: class_by_class(60, 30, 10)}
    splits = Splits(seed=seed, **{name: 20}).select(stored)
    assert np.bincount(splits[name]["targets"]).tolist() == [12, 6, 2]
    assert np.bincount(splits["train"]["targets"]).sum() == (15 if name == "test" else 12)


def test_the_sample_depends_on_the_seed_and_no_example_is_preferred():
    stored = {"train": class_by_class(2), "test": class_by_class(10, 10)}
    drawn = [
        Splits(test=4, seed=seed).select(stored)["test"]["inputs"][:, 0].astype(int)
        for seed in range(200)
    ]
    assert len({tuple(sample) for sample in drawn}) > 100
    assert np.all(np.diff(drawn) > 0)
    # Each of 20 examples is expected in 40 of 200 samples; 6 standard deviations are 34.
    assert np.bincount(np.concatenate(drawn), minlength=20).min() > 6
    again = Splits(test=4, seed=3).select(stored)["test"]
    np.testing.assert_array_equal(again["inputs"][:, 0], drawn[3])


def test_numbers_to_predict_are_sampled_without_shares():
    stored = {"train": numbers(0, 5), "test": numbers(100, 150)}
    sample = seen(Splits(test=10, seed=0).select(stored))["test"]
    assert sample != list(range(100, 110))
    assert len(set(sample)) == 10


@pytest.mark.parametrize(
    ("stored", "warnings"),
    [
        (
            {"train": class_by_class(3, 3, 3), "test": class_by_class(4)},
            ["the test split has no example of the classes 'b', 'c', of which the training split"],
        ),
        (
            {"train": class_by_class(3, 0, 3), "test": class_by_class(4, 1, 1)},
            ["the train split has no example of the class 'b', of which another split has some"],
        ),
        ({"train": class_by_class(3, 3, 3), "test": class_by_class(1, 1, 1)}, []),
    ],
)
def test_a_class_that_a_split_lacks_is_said(stored, warnings, capsys):
    apart = {**stored, "test": {**stored["test"], "inputs": stored["test"]["inputs"] + 100}}
    Splits().dataset(apart, ("a", "b", "c"))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(warnings)
    for line, warning in zip(said, warnings, strict=True):
        assert warning in line


def test_a_long_list_of_missing_classes_is_cut(capsys):
    stored = {"train": class_by_class(*[2] * 20), "test": class_by_class(3)}
    warn_of_missing_classes(stored, tuple(f"c{place}" for place in range(20)))
    assert "'c1', 'c2', 'c3', 'c4', 'c5' and 14 more" in capsys.readouterr().err


def test_examples_of_another_split_that_are_training_examples_are_counted(capsys):
    splits = {"train": numbers(0, 8), "validation": numbers(8, 12), "test": numbers(6, 10)}
    warn_of_repeated_examples(splits)
    (said,) = capsys.readouterr().err.splitlines()
    assert "2 of the 4 examples of the test split are training examples, too" in said
    assert "first is example 0" in said


def test_the_same_inputs_with_another_target_are_another_example(capsys):
    other = {"inputs": numbers(0, 8)["inputs"], "targets": np.full(8, 99, np.int32)}
    warn_of_repeated_examples({"train": numbers(0, 8), "test": other})
    assert not capsys.readouterr().err


def test_texts_that_are_in_two_splits_are_counted(capsys):
    texts = objects(["good", "bad", "dull", "good"])
    labels = np.array([1, 0, 0, 1], np.int32)
    Selection(test=1).select({"train": {"inputs": texts, "targets": labels}})
    assert "1 of the 1 examples of the test split" in capsys.readouterr().err


def test_without_a_seed_nothing_is_copied():
    stored = {"train": numbers(0, 10)}
    splits = Splits(train=4).select(stored)
    assert np.shares_memory(splits["train"]["inputs"], stored["train"]["inputs"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 11}, "train=11 asks for more than the 8 examples"),
        ({"test": 11}, "test=11 asks for more than the 10 examples"),
        ({"validation": -1}, "validation=-1 must be 0 or more"),
        ({"train": 0}, "none is left to train on"),
        ({"test": 10}, "none is left to train on"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Splits(**options).select({"train": numbers(0, 10)})


@pytest.mark.parametrize("shape", [(), (4,), (5, 3), (5, 5, 3)])
def test_standardised_training_inputs_have_mean_0_and_std_1(shape):
    generator = np.random.default_rng(0)
    inputs = (generator.normal(size=(50, *shape)) * 3 + 7).astype(np.float32)
    stored = {"train": {"inputs": inputs, "targets": np.zeros(50, np.int32)}}
    data = Splits(standardise=True, test=0).dataset(stored, ("a",))
    x = np.asarray(data.preprocess(data.splits["train"]["inputs"]))
    axes = tuple(range(max(1, x.ndim - 1)))
    np.testing.assert_allclose(x.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axes), 1, atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, -1.0])
def test_standardising_follows_scaling_and_permutation(scale):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 6), np.uint8)
    stored = {"train": {"inputs": pixels, "targets": np.zeros(40, np.int32)}}
    preprocess = Preprocess(permutation_seed=3, scale=scale)
    options = Splits(standardise=True, test=0, preprocess=preprocess)
    x = np.asarray(options.dataset(stored, ("a",)).preprocess(pixels))
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-5)


def test_a_constant_feature_stays_finite():
    stored = {"train": {"inputs": np.ones((5, 2), np.float32), "targets": np.zeros(5, np.int32)}}
    data = Splits(standardise=True, test=0).dataset(stored, ("a",))
    np.testing.assert_array_equal(data.preprocess(data.splits["train"]["inputs"]), np.zeros((5, 2)))


def test_expand_shifts_makes_five_training_images_of_one():
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), np.uint8)
    stored = {"train": {"inputs": images, "targets": np.arange(10, dtype=np.int32)}}
    options = ImageSplits(test=2, expand_shifts=True)
    data = options.dataset(stored, tuple("abcdefghij"))
    assert data.size("train") == 40
    assert data.size("test") == 2
    assert data.splits["train"]["targets"].tolist() == 5 * list(range(8))
    assert options.describe(data.stored, {"train": 10}, data.classes).size("train") == 40
