"""Streams: the same batches whenever and however often they are read."""

import json

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import RecordStream, Stream
from nnjax.data.dataset import pad
from nnjax.data.order import epoch_order
from nnjax.data.records import collect
from nnjax.errors import UserError


class Numbers:
    """Records that tell their index; ``reads`` counts how often each is read."""

    def __init__(self, count, bad=None):
        self.count = count
        self.bad = bad
        self.reads = np.zeros(count, int)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index == self.bad:
            raise UserError(f"record {index} is damaged")
        self.reads[index] += 1
        return {"inputs": np.full((2,), index, np.float32), "targets": np.asarray(index, np.int32)}


def stream(count=10, **splits):
    return RecordStream({"train": Numbers(count), **splits}, tuple("ab"))


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def real(batch):
    """The targets that count."""
    return batch["targets"][batch["mask"] == 1].tolist()


def same(first, second):
    for one, other in zip(first, second, strict=True):
        jax.tree.map(np.testing.assert_array_equal, dict(one), dict(other))


@settings(max_examples=20)
@given(count=st.integers(1, 20), batch_size=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_an_epoch_has_every_example_once_in_its_own_order(count, batch_size, seed):
    batch_size = min(count, batch_size)
    steps = -(-count // batch_size)
    batches = take(stream(count).train_batches(batch_size, seed), 2 * steps)
    for epoch in range(2):
        of_epoch = batches[epoch * steps : (epoch + 1) * steps]
        seen = [target for batch in of_epoch for target in real(batch)]
        assert seen == epoch_order(count, seed, epoch).tolist()
    for batch in batches:
        assert batch["inputs"].shape == (batch_size, 2)
        np.testing.assert_array_equal(batch["inputs"][:, 0], batch["targets"])
        assert batch["mask"].dtype == np.float32


@given(count=st.integers(0, 100), seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
def test_the_order_is_a_permutation_and_a_function_of_seed_and_epoch(count, seed, epoch):
    order = epoch_order(count, seed, epoch)
    assert sorted(order) == list(range(count))
    np.testing.assert_array_equal(order, epoch_order(count, seed, epoch))


def test_neighbouring_seeds_and_epochs_have_nothing_in_common():
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


@settings(max_examples=10)
@given(before=st.integers(0, 9), after=st.integers(1, 9))
def test_a_restored_position_goes_on_with_the_same_batches(before, after):
    data = stream(10)
    iterator = data.train_batches(4, 7)
    take(iterator, before)
    position = json.loads(json.dumps(iterator.get_state()))
    expected = take(iterator, after)
    again = data.train_batches(4, 7)
    again.set_state(position)
    same(expected, take(again, after))
    iterator.set_state(position)
    same(expected, take(iterator, after))


def test_the_position_is_that_of_the_last_batch_taken_not_read_ahead():
    first, second = (stream(10).train_batches(2, 0) for _ in range(2))
    take(first, 3)
    take(second, 3)
    assert first.get_state() == second.get_state()


def test_one_pass_is_in_order_and_padded_at_the_end():
    data = stream(10, test=Numbers(5))
    batches = list(data.batches("test", 2))
    assert [real(batch) for batch in batches] == [[0, 1], [2, 3], [4]]
    assert all(len(batch["inputs"]) == 2 for batch in batches)
    assert [len(real(batch)) for batch in data.batches("train", 16)] == [10]


def test_only_some_batches_are_read_ahead():
    data = stream(1000)
    next(data.train_batches(2, 0))
    records = data.splits["train"]
    assert isinstance(records, Numbers)
    # What is stored, the batch taken, and those that the threads hold and have in hand.
    assert records.reads.sum() <= 1 + 2 * (1 + 2 * data.threads)


def test_it_describes_itself():
    data = stream(10, test=Numbers(5))
    assert isinstance(data, Stream)
    assert (data.size("train"), data.size("test"), data.size("validation")) == (10, 5, 0)
    assert data.outputs == 2
    assert data.example(3)["inputs"].shape == (3, 2)
    with pytest.raises(UserError, match="no 'validation' split, only train, test"):
        data.batches("validation", 2)


def test_the_error_of_a_record_comes_through():
    data = RecordStream({"train": Numbers(10, bad=7)}, None)
    with pytest.raises(UserError, match="record 7 is damaged"):
        list(data.batches("train", 2))
    with pytest.raises(UserError, match="record 7 is damaged"):
        collect(Numbers(10, bad=7))


class Ragged(Numbers):
    """Records of which the fourth is larger."""

    def __getitem__(self, index):
        record = super().__getitem__(index)
        return {**record, "inputs": np.zeros(3)} if index == 3 else record


def test_records_of_mixed_shape_are_refused():
    with pytest.raises(UserError, match=r"of shape \(3,\), those of the first of shape \(2,\)"):
        list(RecordStream({"train": Ragged(5)}, None).batches("train", 5))
    with pytest.raises(UserError, match=r"--data\.size"):
        collect(Ragged(5))


def test_all_records_in_memory():
    arrays = collect(Numbers(20))
    assert arrays["targets"].tolist() == list(range(20))
    assert arrays["inputs"].shape == (20, 2)
    assert (arrays["inputs"].dtype, arrays["targets"].dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("batch_size", [3, 4])
def test_rows_are_read_in_parts(batch_size):
    """Two halves of each padded batch are the whole, but for what fills it up."""
    rows = 4
    whole = stream(10, test=Numbers(5))
    readers = [stream(10, test=Numbers(5)) for _ in range(2)]
    parts = [slice(0, rows // 2), slice(rows // 2, rows)]
    count = 2 * -(-10 // batch_size)
    for method, words in (("train_batches", (batch_size, 1)), ("batches", ("test", batch_size))):
        expected = take(iter(getattr(whole, method)(*words)), count if "train" in method else 2)
        halves = [
            take(getattr(reader, method)(*words, rows=part), len(expected))
            for reader, part in zip(readers, parts, strict=True)
        ]
        for batch, *own in zip(expected, *halves, strict=True):
            joined = {name: np.concatenate([half[name] for half in own]) for name in batch}
            padded = pad(batch, rows)
            counts = padded["mask"] > 0
            np.testing.assert_array_equal(counts, joined["mask"] > 0)
            same(*([{name: array[counts] for name, array in b.items()}] for b in (padded, joined)))


@pytest.mark.parametrize("record", [{"inputs": np.ones(2)}, {"targets": np.ones(2)}])
def test_records_without_targets_or_inputs_are_one_sentence(record):
    stream = RecordStream({"train": [record] * 4})
    for use in (lambda: stream.stored, lambda: stream.outputs, lambda: stream.batches("train", 2)):
        with pytest.raises(UserError, match=r"must hold the arrays inputs and targets; the first"):
            list(use())
