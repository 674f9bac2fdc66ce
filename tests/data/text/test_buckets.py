"""Batches of similar lengths."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Stream
from nnjax.data.dataset import Dataset
from nnjax.data.text.buckets import Bucketed, bucket_order
from nnjax.data.text.padding import lengths


def data(sizes, buckets=3):
    """Example i holds the number i, as often as its length says."""
    sizes = np.asarray(sizes)
    places = np.arange(sizes.max()) < sizes[:, None]
    inputs = np.where(places, np.arange(len(sizes))[:, None], -1).astype(np.int16)
    split = {"inputs": inputs, "targets": np.arange(len(sizes), dtype=np.int32)}
    return Bucketed.of(Dataset({"train": split, "test": split}, preprocess=None), buckets)


def some_sizes(examples=50):
    return np.random.default_rng(0).integers(1, 40, size=examples)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    batch_size=st.integers(1, 9),
    buckets=st.integers(2, 4),
)
def test_an_epoch_has_every_example_once_and_no_more_batches(sizes, batch_size, buckets):
    stream = data(sizes, buckets)
    batches = stream.train_batches(batch_size, seed=3)
    seen = []
    for _ in range(-(-len(sizes) // batch_size)):
        batch = next(batches)
        count = int(batch["mask"].sum())
        seen += batch["targets"][:count].tolist()
        assert batch["inputs"].shape[0] == batch_size
        assert batch["inputs"].shape[1] in stream.widths
        # Nothing is cut off.
        np.testing.assert_array_equal(
            lengths(batch["inputs"][:count]), np.array(sizes)[batch["targets"][:count]]
        )
    assert sorted(seen) == list(range(len(sizes)))


def test_batches_hold_similar_lengths_and_are_shorter_for_it():
    stream = data(some_sizes())
    assert isinstance(stream, Stream)
    assert len(stream.widths) == 3
    batches = stream.train_batches(10, seed=0)
    widths = [next(batches)["inputs"].shape[1] for _ in range(5)]
    assert len(set(widths)) > 1
    assert sum(widths) < 5 * stream.widths[-1]


def test_epochs_differ_and_a_position_is_gone_back_to():
    stream = data(some_sizes())
    batches = stream.train_batches(10, seed=0)
    first = [next(batches)["targets"].tolist() for _ in range(5)]
    position = batches.get_state()
    second = [next(batches)["targets"].tolist() for _ in range(5)]
    assert first != second
    again = stream.train_batches(10, seed=0)
    again.set_state(position)
    assert [next(again)["targets"].tolist() for _ in range(5)] == second
    assert next(stream.train_batches(10, seed=1))["targets"].tolist() != first[0]


def test_one_pass_is_in_order():
    stream = data(some_sizes())
    batches = list(stream.batches("test", 8))
    seen = np.concatenate([batch["targets"] for batch in batches])
    counted = np.concatenate([batch["mask"] for batch in batches]) == 1
    np.testing.assert_array_equal(seen[counted], np.arange(50))
    assert stream.size("test") == 50


def test_ids_are_int32_and_an_example_is_of_the_longest():
    stream = data([3, 5])
    batch = stream.prepare(next(stream.batches("train", 2)))
    assert batch["inputs"].dtype == np.int32
    assert stream.example(4)["inputs"].shape == (4, 5)
    jax.tree.map(np.asarray, batch)


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_what_is_left_of_a_bucket_goes_to_the_next(batch_size):
    buckets = np.array([0, 0, 0, 1, 1, 2] * 5)
    batches = bucket_order(buckets, batch_size, 0, 0)
    assert len(batches) == -(-30 // batch_size)
    assert sum(len(batch) < batch_size for batch in batches) <= 1
