"""Blocks: however the examples of an update reach it, they are the same."""

import jax
import numpy as np
import pytest
from marks import slow

from nnjax.data import Dataset, Vocabulary
from nnjax.data.text.windows import Windowing
from nnjax.distributed.devices import make_mesh
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.training import Training, blocks, fit

OPTIONS = Training(epochs=3, batch_size=5, seed=1)


def numbers(examples):
    inputs = np.arange(examples * 6, dtype=np.uint8).reshape(examples, 2, 3)
    return {"inputs": inputs, "targets": np.arange(examples, dtype=np.int32) % 3}


def of(split):
    return Dataset({"train": split}, preprocess=None)


def of_several_inputs():
    split = numbers(22)
    return of({**split, "inputs": {"one": split["inputs"], "other": split["targets"]}})


def of_windows(**options):
    words = Vocabulary(tuple(map(str, range(1000))))
    return Windowing(length=4, **options).windows(np.arange(300, dtype=np.int32), words)


@pytest.mark.parametrize(
    "data",
    [of(numbers(22)), of(numbers(20)), of_several_inputs(), of_windows(), of_windows(lanes=5)],
    ids=["ragged", "even", "several inputs", "windows", "lanes"],
)
def test_batches_copied_ahead_are_those_gathered_on_the_device(data):
    """Over the ends of blocks and of an epoch, padding apart."""
    seen = {}
    for kind in (blocks.Gathered, blocks.Copied):
        made = kind(data, OPTIONS, make_mesh(1))
        made.updates = 4
        seen[kind] = [made.take(made.get(block), row) for block in (0, 1) for row in range(4)]
        made.close()
    ragged = data.size("train") % 5 != 0
    for gathered, copied in zip(*seen.values(), strict=True):
        assert ("mask" in gathered) == ragged
        real = np.flatnonzero(gathered.get("mask", np.ones(5)))
        assert jax.tree.structure(gathered) == jax.tree.structure(copied)
        for one, other in zip(*map(jax.tree.leaves, (gathered, copied)), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one[real], other[real])


@pytest.mark.parametrize("devices", [1, 4])
@pytest.mark.parametrize("batch_size", [0, 8, *slow(5, 10)])
def test_a_mask_of_the_data_holds_in_every_batch(devices, batch_size):
    """What it leaves out changes nothing, also where batches are padded."""
    split = {**numbers(50), "mask": np.arange(50) % 3 > 0}
    inputs = np.where(split["mask"][:, None, None], split["inputs"], 255).astype(np.uint8)
    learner = Supervised(MLP(features=(3,), outputs=3))
    ends = []
    for changed in (split, {**split, "inputs": inputs}):
        options = Training(epochs=2, batch_size=batch_size, seed=1, devices=devices)
        ends.append(fit(learner, Dataset({"train": changed}, tuple("abc")), options))
    for one, other in zip(*(jax.tree.leaves(end.state.params) for end in ends), strict=True):
        np.testing.assert_array_equal(one, other)
    assert ends[0].summary["train"] == ends[1].summary["train"]


class Half(Dataset):
    """An order of one's own that forgets examples."""

    def order(self, seed, epoch, batch_size):
        return super().order(seed, epoch, batch_size)[:11]


def test_an_order_that_forgets_examples_is_refused():
    made = blocks.make_blocks(Half({"train": numbers(22)}, preprocess=None), OPTIONS, make_mesh(1))
    with pytest.raises(UserError, match="order of epoch 0 has 11 examples, the training split 22"):
        made.get(0)
    made.close()


def test_a_block_of_large_batches_has_few_updates(monkeypatch):
    a_batch = 5 * (6 + 4)
    for most, updates in ((2**25, blocks.UPDATES), (3 * a_batch, 3), (1, 1)):
        monkeypatch.setattr(blocks, "MOST_BYTES", most)
        made = blocks.make_blocks(of(numbers(22)), OPTIONS, make_mesh(1))
        assert isinstance(made, blocks.Copied)
        assert made.updates == updates
        made.close()


def test_several_devices_gather_for_themselves():
    made = blocks.make_blocks(of(numbers(22)), OPTIONS, make_mesh(4))
    assert isinstance(made, blocks.Gathered)
    made.close()
