"""Which examples train, validate and test."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnjax.data import Preprocess
from nnjax.data.splits import ImageSplits, Splits
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


def test_the_first_of_a_stored_test_split_are_taken():
    stored = {"train": numbers(0, 5), "test": numbers(100, 105)}
    assert seen(Splits(test=2).select(stored))["test"] == [100, 101]


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
