"""Windows of a text: cut out of one array on the device, and each word predicted once."""

import itertools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data.text.windows import Windowing, lane_order, lane_starts
from nnjax.data.vocabulary import Vocabulary
from nnjax.errors import UserError

WORDS = Vocabulary(tuple(f"{number}" for number in range(1000)))


def cut(words, **options):
    """Windows of a text whose words are 0, 1, 2 ...: their ids tell their places."""
    return Windowing(**options).windows(np.arange(words, dtype=np.int32), WORDS)


def take(data, name, index):
    arrays = jax.device_put(dict(data.split(name)))
    batch = jax.jit(data.take)(arrays, np.asarray(index, np.int32))
    return jax.tree.map(np.asarray, batch)


def passes(data, name, size=7):
    """The batches of one pass over a split, as an evaluation reads them: cut on the host."""
    for batch in data.batches(name, size):
        counted = batch.pop("mask") > 0
        assert batch["targets"].dtype == np.int32
        yield jax.tree.map(lambda array, counted=counted: array[counted], batch)


@pytest.mark.parametrize("lanes", [None, 3])
@pytest.mark.parametrize("targets", ["all", "last"])
def test_the_device_cuts_the_same_windows_as_the_host(targets, lanes):
    if lanes and targets == "last":
        return
    data = cut(97, length=5, evaluation_length=4, context=2, targets=targets, lanes=lanes)
    for name in ("train", "validation", "test"):
        index = np.arange(data.size(name), dtype=np.int32)
        on_host = data.take(data.split(name), index)
        jax.tree.map(np.testing.assert_array_equal, on_host, take(data, name, index))


# Every shape of a window is compiled separately.
@settings(max_examples=10)
@given(
    words=st.integers(30, 200),
    length=st.integers(1, 12),
    stride=st.none() | st.integers(1, 20),
    targets=st.sampled_from(["all", "last"]),
    epoch=st.integers(0, 3),
)
def test_windows_from_the_device_are_those_of_slicing(words, length, stride, targets, epoch):
    data = cut(words, length=length, stride=stride, targets=targets, validation=0, test=0)
    order = data.order(5, epoch, 4)
    assert len(order) == data.size("train")
    batch = take(data, "train", order)
    text = np.arange(words)
    starts = batch["inputs"][:, 0]
    assert len(set(starts)) == len(starts)
    step = stride or (length if targets == "all" else 1)
    assert len(set(starts % step)) == 1
    for row, (start, inputs) in enumerate(zip(starts, batch["inputs"], strict=True)):
        following = text[start + 1 : start + 1 + length]
        np.testing.assert_array_equal(inputs, text[start : start + length])
        expected = following if targets == "all" else following[-1]
        np.testing.assert_array_equal(batch["targets"][row], expected)
    assert batch["inputs"].dtype == batch["targets"].dtype == np.int32


@settings(max_examples=25)
@given(
    words=st.integers(60, 200),
    length=st.integers(1, 9),
    evaluation_length=st.none() | st.integers(1, 9),
    context=st.integers(0, 8),
    targets=st.sampled_from(["all", "last"]),
    lanes=st.sampled_from([None, 3]),
)
def test_every_word_of_a_held_out_split_is_predicted_once(
    words, length, evaluation_length, context, targets, lanes
):
    used = evaluation_length or length
    options = {
        "length": length,
        "evaluation_length": evaluation_length,
        "context": min(context, used - 1),
        "targets": targets,
        "lanes": lanes if targets == "all" else None,
    }
    data = cut(words, validation=0.2, test=0.1, **options)
    counts = {"validation": int(0.2 * words), "test": int(0.1 * words)}
    ends = {"validation": words - counts["test"], "test": words}
    for name, end in ends.items():
        predicted, known = [], set()
        for batch in passes(data, name):
            inputs = batch["inputs"]["tokens"] if options["lanes"] else batch["inputs"]
            predicted += batch["targets"][batch["targets"] >= 0].tolist()
            known |= set(inputs[inputs >= 0].tolist())
            check_alignment(inputs, batch["targets"], targets)
        assert predicted == list(range(end - counts[name], end))
        # Each is predicted from the word before it, and none is told.
        assert set(range(end - counts[name] - 1, end - 1)) <= known


def check_alignment(inputs, targets, which):
    """Targets are the words after the inputs, and padding comes after the end alone."""
    if which == "last":
        np.testing.assert_array_equal(targets, inputs[:, -1] + 1)
        return
    counted = targets >= 0
    np.testing.assert_array_equal(targets[counted], inputs[counted] + 1)
    assert not (np.diff((inputs >= 0).astype(int), axis=1) > 0).any()


def test_context_is_read_before_the_first_word_that_is_predicted():
    data = cut(100, length=8, context=5, validation=0.2, test=0)
    batch = take(data, "validation", [0, 1])
    assert batch["inputs"][0].tolist() == [*range(74, 82)]
    assert batch["targets"][0].tolist() == [-1] * 5 + [80, 81, 82]
    assert batch["targets"][1].tolist() == [-1] * 5 + [83, 84, 85]


def test_what_is_stored_is_one_array_of_the_smallest_type():
    text = np.tile(np.arange(50, dtype=np.int32), 2000)
    words = Vocabulary(tuple(map(str, range(50))))
    data = Windowing(length=100, stride=1, validation=0.1, test=0).windows(text, words)
    assert data.size("train") == 90_000 - 100
    stored = sum(array.nbytes for array in jax.tree.leaves(dict(data.splits)))
    assert data.split("train")["tokens"].dtype == np.uint8
    # A byte a word; the rest is the counting within a window.
    assert stored < 100_000 + 2000
    assert data.vocabulary is data.target_vocabulary is words
    assert data.outputs == 50


@pytest.mark.parametrize("targets", ["all", "last"])
@pytest.mark.parametrize("lanes", [None, 2])
def test_examples_are_told_without_taking_them(targets, lanes):
    if lanes and targets == "last":
        return
    data = cut(100, length=5, targets=targets, lanes=lanes)
    batch = data.prepare(take(data, "train", [0, 1, 2]))
    expected = jax.tree.map(lambda one: (one.shape, one.dtype), data.example(3))
    assert jax.tree.map(lambda one: (one.shape, one.dtype), dict(batch)) == expected


def test_epochs_start_at_different_places_and_are_repeatable():
    data = cut(400, length=10)
    orders = [data.order(1, epoch, 4) for epoch in range(30)]
    starts = [set(take(data, "train", order)["inputs"][:, 0] % 10) for order in orders]
    assert len(set.union(*starts)) > 5
    np.testing.assert_array_equal(orders[3], data.order(1, 3, 4))
    assert not np.array_equal(orders[0] % data.size("train"), orders[1] % data.size("train"))


@given(chunks=st.integers(1, 60), lanes=st.integers(1, 12))
def test_lanes_are_contiguous_and_hold_every_chunk(chunks, lanes):
    lanes = min(chunks, lanes)
    order = lane_order(chunks, lanes)
    assert sorted(order) == list(range(chunks))
    starts = lane_starts(chunks, lanes)
    np.testing.assert_array_equal(order[:lanes], starts)
    np.testing.assert_array_equal(order[lanes:], order[:-lanes] + 1)
    assert not set(starts) & set(order[lanes:])


def test_lanes_begin_fresh_and_go_on_where_they_were():
    data = cut(101, length=4, lanes=3, validation=0, test=0)
    assert data.size("train") == 25
    order = data.order(0, 0, 3)
    updates = [take(data, "train", order[first : first + 3]) for first in range(0, 25, 3)]
    assert updates[0]["inputs"]["fresh"].tolist() == [True] * 3
    assert not any(update["inputs"]["fresh"].any() for update in updates[1:])
    for before, after in itertools.pairwise(updates):
        going_on = len(after["targets"])
        np.testing.assert_array_equal(
            after["inputs"]["tokens"][:, 0], before["targets"][:going_on, -1]
        )
    read = np.concatenate([update["inputs"]["tokens"].ravel() for update in updates])
    assert sorted(read) == list(range(100))


def test_windows_of_an_evaluation_begin_fresh():
    data = cut(100, length=4, lanes=3)
    assert take(data, "test", [0, 1])["inputs"]["fresh"].tolist() == [True, True]


def test_lanes_must_be_as_many_as_examples_of_an_update():
    with pytest.raises(UserError, match="batch_size=8 must be the number of lanes, 3"):
        cut(100, length=4, lanes=3).order(0, 0, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "the length must be at least 1"),
        ({"length": 90}, "90 words to train on make no window of length=90"),
        ({"stride": 0}, "the stride must be at least 1"),
        ({"lanes": 0}, "the number of lanes must be at least 1"),
        ({"lanes": 50, "length": 5}, "make 17 windows of length=5, fewer than lanes=50"),
        ({"lanes": 2, "targets": "last", "length": 5}, "leave out stride, and targets 'last'"),
        ({"lanes": 2, "stride": 2, "length": 5}, "leave out stride"),
        ({"length": 5, "context": 5}, "the context must be below 5"),
        ({"length": 5, "evaluation_length": 95, "context": 94}, "too few for a context of 94"),
        ({"validation": 1.0}, "the part to validate on must be below 1"),
        ({"validation": 0.5, "test": 0.5}, "leave no text to train on"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        cut(100, **options)
