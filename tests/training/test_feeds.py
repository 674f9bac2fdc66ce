"""Training from a stream: the same as from memory, and exactly resumed."""

import threading

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from nnjax.data import Bucketed, Dataset, RecordStream
from nnjax.distributed.devices import make_mesh
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.runs.run import Run
from nnjax.training import Training, blocks, fit
from nnjax.training.feeds import ArrayFeed, StreamFeed, make_feed
from nnjax.training.snapshot import initial_carry

LEARNER = Supervised(MLP(features=(4,), outputs=3), optimizer=SGD(learning_rate=0.1, momentum=0.9))


def arrays(count, seed):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 5)).astype(np.float32)
    return {"inputs": inputs, "targets": generator.integers(0, 3, count).astype(np.int32)}


SPLITS = {"train": arrays(22, 0), "test": arrays(7, 1)}
CLASSES = ("a", "b", "c")


class Rows:
    """The examples of a split in memory as records."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return len(self.split["targets"])

    def __getitem__(self, index):
        return {name: array[index] for name, array in self.split.items()}


def memory():
    return Dataset(SPLITS, CLASSES)


def stream():
    return RecordStream({name: Rows(split) for name, split in SPLITS.items()}, CLASSES)


def training(**options):
    return Training(**{"epochs": 3, "batch_size": 5, "seed": 1, **options})


def leaves(state):
    return jax.tree.leaves(state.params)


def test_the_kind_of_data_decides_on_the_feed():
    mesh = make_mesh(1)
    assert isinstance(make_feed(LEARNER, memory(), training(), mesh), ArrayFeed)
    assert isinstance(make_feed(LEARNER, stream(), training(), mesh), StreamFeed)


@pytest.mark.parametrize("devices", [1, 4, *slow(2)])
def test_a_stream_trains_as_the_same_examples_in_memory(devices):
    # Batches of 5 and a last one of 2: neither divides by the devices.
    expected = fit(LEARNER, memory(), training())
    streamed = fit(LEARNER, stream(), training(devices=devices))
    for one, other in zip(leaves(expected.state), leaves(streamed.state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for split in ("train", "test"):
        for name, value in expected.summary[split].items():
            np.testing.assert_allclose(streamed.summary[split][name], value, rtol=1e-5)
    assert streamed.summary["steps"] == expected.summary["steps"] == 15


def feed_and_carry():
    options, mesh, data = training(), make_mesh(1), stream()
    feed = StreamFeed(LEARNER, data, options, mesh)
    carry = initial_carry(LEARNER, data, options, mesh)
    feed.compile(carry)
    return feed, carry


def test_a_feed_goes_on_from_its_position_with_the_same_batches():
    feed, carry = feed_and_carry()
    carry = feed.run(carry, 0, 7)
    position = feed.position()
    halfway = jax.tree.map(np.asarray, leaves(carry.state))
    expected = leaves(feed.run(carry, 7, 6).state)
    again, carry = feed_and_carry()
    carry = again.run(carry, 0, 7)
    np.testing.assert_array_equal(halfway[0], leaves(carry.state)[0])
    again.run(jax.tree.map(jnp.copy, carry), 7, 3)
    again.seek(position)
    assert again.position() == position
    for one, other in zip(expected, leaves(again.run(carry, 7, 6).state), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_position_is_that_after_the_last_batch_trained_on():
    feed, carry = feed_and_carry()
    beginning = feed.position()
    carry = feed.run(carry, 0, 1)
    after_one = feed.position()
    assert beginning != after_one
    feed.run(carry, 1, 1)
    assert feed.position() != after_one


@pytest.mark.parametrize("steps", [7, *slow(4)])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, steps):
    whole = Run.create("whole", training(), directory=tmp_path / "whole")
    expected = fit(LEARNER, stream(), training(epochs=None, steps=12), run=whole)
    run = Run.create("part", training(), directory=tmp_path / "part")
    fit(LEARNER, stream(), training(epochs=None, steps=steps), run=run)
    resumed = fit(LEARNER, stream(), training(epochs=None, steps=12), run=run, resume=True)
    for one, other in zip(leaves(expected.state), leaves(resumed.state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.summary["test"] == expected.summary["test"]


@pytest.mark.parametrize("data", [memory, stream])
def test_closing_ends_the_thread_that_works_ahead(data):
    mesh = make_mesh(1)
    carry = initial_carry(LEARNER, data(), training(), mesh)
    feed = make_feed(LEARNER, data(), training(), mesh)

    others = set(threading.enumerate())

    def working():
        names = [thread.name for thread in set(threading.enumerate()) - others]
        return [name for name in names if name.startswith(("batches-ahead", "read-stream"))]

    feed.compile(carry)
    assert len(working()) == 1
    feed.close()
    assert working() == []


def test_a_call_may_go_beyond_a_block(monkeypatch):
    """One call over several blocks makes the updates of one call each."""
    ends = []
    for updates_in_a_block in (1000, 3):
        monkeypatch.setattr(blocks, "UPDATES", updates_in_a_block)
        mesh = make_mesh(1)
        feed = make_feed(LEARNER, memory(), training(), mesh)
        carry = initial_carry(LEARNER, memory(), training(), mesh)
        feed.compile(carry)
        ends.append(leaves(feed.run(carry, 0, 11).state))
        feed.close()
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


class Counting(nn.Module):
    """Classifies by which words there are; padding is none."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        words = jax.nn.one_hot(inputs, 6).sum(axis=1)
        return nn.Dense(3)(words)


class Uncut(Bucketed):
    """The same batches, all as long as the longest."""

    def _shorten(self, batch):
        return batch


def test_batches_of_several_lengths_train_as_if_all_were_long():
    generator = np.random.default_rng(0)
    inputs = generator.integers(6, size=(23, 12), dtype=np.int8)
    inputs[np.arange(12) >= generator.integers(1, 13, size=(23, 1))] = -1
    split = {"inputs": inputs, "targets": generator.integers(3, size=23, dtype=np.int32)}
    data = Dataset({"train": split, "test": split}, CLASSES, None)
    learner = Supervised(Counting(), optimizer=SGD(learning_rate=0.1))
    results = {}
    for kind in (Bucketed, Uncut):
        stream = kind(data, (4, 8, 12))
        batches = stream.train_batches(5, seed=1)
        widths = {next(batches)["inputs"].shape[1] for _ in range(10)}
        assert widths == ({12} if kind is Uncut else {4, 8, 12})
        results[kind] = fit(learner, stream, training())
    for one, other in zip(*(leaves(result.state) for result in results.values()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for split in ("train", "test"):
        one, other = (result.summary[split]["loss"] for result in results.values())
        np.testing.assert_allclose(one, other, rtol=1e-5)
