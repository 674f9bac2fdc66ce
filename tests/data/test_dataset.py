"""Data in memory, and the padding of batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Augment, Dataset, Preprocess
from nnjax.data.dataset import pad
from nnjax.errors import UserError


def split(count, *shape):
    return {"inputs": np.zeros((count, *shape), np.uint8), "targets": np.zeros(count, np.int32)}


@given(count=st.integers(1, 20), missing=st.integers(0, 20), masked=st.booleans())
def test_padding_keeps_the_examples_and_masks_the_rest(count, missing, masked):
    inputs = np.random.default_rng(count).normal(size=(count, 3))
    batch = {"inputs": inputs, "targets": np.arange(count)}
    mask = np.ones(count)
    if masked:
        mask[0] = 0
        batch["mask"] = mask
    padded = pad(batch, count + missing)
    np.testing.assert_array_equal(padded["inputs"][:count], inputs)
    np.testing.assert_array_equal(padded["targets"][:count], np.arange(count))
    np.testing.assert_array_equal(padded["mask"], np.append(mask, np.zeros(missing)))
    assert padded["mask"].dtype == np.float32
    assert all(len(array) == count + missing for array in padded.values())


def test_arrays_of_one_split_must_be_of_one_length():
    with pytest.raises(UserError, match="'train' differ in length"):
        Dataset({"train": {"inputs": np.zeros((3, 2)), "targets": np.zeros(4)}})


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "no examples to train on; give it a split 'train'"),
        ({"test": split(3, 2)}, "no examples to train on"),
        ({"train": split(0, 2), "test": split(3, 2)}, "no examples to train on"),
        ({"train": {"x": np.zeros((3, 2)), "y": np.zeros(3)}}, "inputs and targets; it holds x, y"),
        ({"train": {**split(3), "inputs": [[1], [2], [3]]}}, "'inputs' of split 'train' is a list"),
        (
            {"train": {**split(3), "inputs": {"source": None}}},
            r"'inputs\.source' of split 'train' is a NoneType; it must be an array of real numbers",
        ),
        (
            {"train": {**split(3), "inputs": np.array([None] * 3)}},
            "'inputs' of split 'train' is object",
        ),
        ({"train": {**split(3), "inputs": np.array(["a", "b", "c"])}}, "is <U1; it must be"),
        ({"train": {**split(3), "targets": np.array(1)}}, "is int64; .* its first axis"),
        ({"train": {**split(3), "targets": np.arange(3).astype(">i4")}}, "byte order of this"),
        ({"train": {**split(3), "inputs": np.ones(3, np.longdouble)}}, "at most 64 bits"),
        ({"train": {**split(3), "inputs": np.ma.ones((3, 2))}}, "is a MaskedArray; it must"),
        (
            {"train": {**split(3), "inputs": np.ones((3, 0))}},
            r"of shape \(0,\): of no",
        ),
        ({"train": {**split(3), "inputs": np.array([1, 2, 2**40])}}, "holds 1099511627776 at "),
        ({"train": split(3), "valid": split(3)}, "use a split 'valid', did you mean 'validation'"),
        ({"train": split(3), "x": split(3)}, "split 'x'; the splits are train, validation, test"),
    ],
)
def test_splits_that_are_no_arrays_of_examples_are_refused(splits, message):
    with pytest.raises(UserError, match=message):
        Dataset(splits)


@pytest.mark.parametrize("label", [-1, 2, 3])
def test_a_label_outside_the_classes_is_refused(label):
    targets = np.array([0, 1, label], np.int32)
    splits = {"train": split(3, 2), "test": {**split(3, 2), "targets": targets}}
    message = f"label {label} of example 2 in split 'test' is outside the classes 0 to 1"
    with pytest.raises(UserError, match=message):
        Dataset(splits, ("a", "b"))
    assert Dataset(splits).size("test") == 3


@pytest.mark.parametrize(
    "arrays",
    [
        {"inputs": np.zeros((2, 3)), "targets": np.array([[0, 1, -1], [1, -1, -1]])},
        {"inputs": np.zeros((2, 3)), "targets": np.array([0, -1]), "mask": np.array([1, 0])},
        {"inputs": jnp.zeros((2, 3), jnp.bfloat16), "targets": jnp.zeros((2, 2))},
        {"inputs": np.zeros((2, 3), np.bool_), "targets": np.array([True, False])},
    ],
)
def test_padding_masks_and_any_numbers_are_taken(arrays):
    assert Dataset({"train": arrays}, ("a", "b")).size("train") == 2


def test_splits_must_hold_examples_of_one_shape():
    with pytest.raises(UserError, match="split 'test' has examples of"):
        Dataset({"train": split(3, 28, 28, 1), "test": split(3, 32, 32, 1)})


def test_an_unknown_split_is_refused_and_has_no_examples():
    data = Dataset({"train": split(3, 2)})
    assert data.size("test") == 0
    with pytest.raises(UserError, match="no 'test' split, only train"):
        data.split("test")


def test_batches_are_one_pass_in_order_and_of_one_size():
    inputs = np.arange(14, dtype=np.uint8).reshape(7, 2)
    examples = {"inputs": {"pixels": inputs}, "targets": np.arange(7)}
    data = Dataset({"train": examples, "test": examples})
    batches = list(data.batches("test", 3))
    assert [len(batch["targets"]) for batch in batches] == [3, 3, 3]
    assert [batch["mask"].tolist() for batch in batches] == [[1, 1, 1], [1, 1, 1], [1, 0, 0]]
    pixels = np.concatenate([batch["inputs"]["pixels"] for batch in batches])
    np.testing.assert_array_equal(pixels[:7], inputs)
    assert pixels.dtype == np.uint8
    with pytest.raises(UserError, match="no 'validation' split, only train, test"):
        next(data.batches("validation", 3))


def test_several_arrays_are_not_scaled_as_one():
    inputs = {"a": np.zeros((3, 2)), "b": np.zeros((3, 4))}
    data = Dataset({"train": {"inputs": inputs, "targets": np.zeros(3)}})
    with pytest.raises(UserError, match="not scaled as one; give preprocess=None"):
        data.example()


def test_example_is_the_shape_after_preprocessing():
    data = Dataset({"train": split(3, 4, 4, 1)}, ("a", "b"))
    example = data.example(5)
    assert (example["inputs"].shape, example["inputs"].dtype) == ((5, 4, 4, 1), np.float32)
    assert (example["targets"].shape, example["targets"].dtype) == ((5,), np.int32)
    assert data.outputs == 2


@pytest.mark.parametrize(("shape", "outputs"), [((), 1), ((1,), 1), ((3,), 3)])
def test_outputs_of_a_regression_are_the_numbers_in_a_target(shape, outputs):
    targets = np.zeros((2, *shape), np.float32)
    assert Dataset({"train": {"inputs": np.zeros((2, 1)), "targets": targets}}).outputs == outputs


def test_only_training_batches_are_augmented():
    images = np.arange(4 * 5 * 5, dtype=np.uint8).reshape(4, 5, 5, 1)
    batch = {"inputs": images, "targets": np.zeros(4)}
    data = Dataset({"train": batch}, None, Preprocess(scale=2.0), Augment(shift=2))
    np.testing.assert_array_equal(data.prepare(batch)["inputs"], 2.0 * images)
    assert np.any(np.asarray(data.prepare(batch, jax.random.key(0))["inputs"]) != 2.0 * images)


def test_augmentation_needs_no_preprocessing():
    images = np.random.default_rng(0).random((4, 5, 5, 1), np.float32)
    batch = {"inputs": images, "targets": np.zeros(4, np.int32)}
    data = Dataset({"train": batch}, None, None, Augment(shift=2))
    assert np.any(np.asarray(data.prepare(batch, jax.random.key(0))["inputs"]) != images)
    np.testing.assert_array_equal(data.prepare(batch)["inputs"], images)


# Several arrays of inputs, ids of words -----------------------------------------------------------


def pairs(count, source=4, target=3):
    ids = np.arange(count * source, dtype=np.uint8).reshape(count, source)
    inputs = {"source": ids, "target": np.full((count, target), -1, np.int16)}
    return {"inputs": inputs, "targets": np.zeros((count, target), np.int16)}


def test_inputs_may_be_several_arrays():
    data = Dataset({"train": pairs(5), "test": pairs(2)}, preprocess=None)
    assert (data.size("train"), data.size("test")) == (5, 2)
    taken = data.take(data.split("train"), np.array([3, 1]))
    np.testing.assert_array_equal(taken["inputs"]["source"][:, 0], [12, 4])
    padded = pad(data.split("test"), 3)
    assert padded["inputs"]["source"].shape == (3, 4)
    np.testing.assert_array_equal(padded["mask"], [1, 1, 0])


def test_ids_become_int32_and_keep_their_padding():
    data = Dataset({"train": pairs(5)}, preprocess=None)
    example = data.example(2)
    assert {leaf.dtype for leaf in jax.tree.leaves(example)} == {np.dtype(np.int32)}
    assert example["inputs"]["target"].shape == (2, 3)
    assert np.all(data.prepare(data.split("train"))["inputs"]["target"] == -1)


def test_the_arrays_within_inputs_must_agree_too():
    uneven = pairs(3)
    uneven["inputs"]["source"] = uneven["inputs"]["source"][:2]
    with pytest.raises(UserError, match=r"'inputs.source': 2"):
        Dataset({"train": uneven}, preprocess=None)
    with pytest.raises(UserError, match="split 'test' has examples of"):
        Dataset({"train": pairs(3), "test": pairs(3, source=5)}, preprocess=None)


def test_an_index_past_the_end_gives_some_example():
    data = Dataset({"train": pairs(3)}, preprocess=None)
    taken = data.take(data.split("train"), np.array([2, 3, -1]))
    assert taken["inputs"]["source"].shape == (3, 4)


def test_inputs_are_stored_alike_in_all_splits():
    """Bytes and floats would be scaled by different factors."""
    draw = np.random.default_rng(0)
    split = {"inputs": draw.integers(0, 256, (6, 2), np.uint8), "targets": np.zeros(6, np.int32)}
    other = {**split, "inputs": split["inputs"].astype(np.float32)}
    with pytest.raises(UserError, match="the inputs of split 'test' are float32, those of the"):
        Dataset({"train": split, "test": other}, ("a", "b"))
    double = {**split, "inputs": split["inputs"].astype(np.float64)}
    Dataset({"train": other, "test": double}, ("a", "b"))


SECONDS = 1_700_000_000 + np.arange(60)[:, None]


@pytest.mark.parametrize("inputs", [SECONDS.astype(np.float64), SECONDS, SECONDS.astype(np.int32)])
def test_numbers_that_32_bits_cannot_tell_apart_are_refused(inputs):
    split = {"inputs": inputs, "targets": np.zeros(60, np.int32)}
    with pytest.raises(UserError, match="'inputs' of split 'train' holds numbers that 32 bits"):
        Dataset({"train": split}, ("a", "b"))
    # With a mean, integers are subtracted exactly; 64-bit floats have been rounded before.
    if inputs.dtype.kind == "i":
        Dataset({"train": split}, ("a", "b"), Preprocess(mean=(1.7e9,)))
    targets = np.concatenate([inputs - 1.7e9, inputs], axis=1)
    with pytest.raises(UserError, match="feature 1 of 'targets' of split 'train'"):
        Dataset({"train": {"inputs": np.zeros((60, 1)), "targets": targets}})


def test_small_integers_and_noise_are_taken():
    noise = 1 + 1e-15 * np.random.default_rng(0).normal(size=(60, 1))
    for inputs in (np.arange(60)[:, None], noise, np.random.default_rng(0).normal(size=(60, 2))):
        Dataset({"train": {"inputs": inputs, "targets": np.zeros(60, np.int32)}}, ("a", "b"))
