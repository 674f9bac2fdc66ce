"""Batches of indices, and what fills the places of a row that no example does."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from nnjax.data import Dataset
from nnjax.learners import Supervised
from nnjax.optimizers import SGD
from nnjax.training import Training, fit, order


@pytest.mark.parametrize(("examples", "size", "multiple"), [(10, 5, 1), (11, 4, 1), (7, 3, 4)])
def test_every_example_is_there_once_and_fills_up_its_own_row(examples, size, multiple):
    drawn = np.random.default_rng(0).permutation(examples)
    rows = order.batches(drawn, size, multiple)
    assert rows.dtype == np.int32
    assert rows.shape == (-(-examples // size), -(-size // multiple) * multiple)
    np.testing.assert_array_equal(rows[rows >= 0], drawn)
    assert (rows < 0).any() == order.is_ragged(examples, size, multiple)
    for row in rows:
        present = row[row >= 0]
        np.testing.assert_array_equal(order.example_at(row), np.resize(present, len(row)))


def test_the_whole_split_in_order():
    np.testing.assert_array_equal(order.whole(5, 4), [0, 1, 2, 3, 4, ~0, ~1, ~2])


class Normalised(nn.Module):
    """A layer between a batch normalisation and the outputs."""

    outputs: int | None = None

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6)(x))
        return nn.Dense(self.outputs)(nn.relu(x))


@pytest.mark.parametrize("batch_size", [11, 0])
def test_a_last_batch_is_normalised_by_its_own_examples(batch_size):
    """Three examples left over of 11: the mean and variance are those of the three."""
    x = np.random.default_rng(0).normal(size=(25, 4)).astype(np.float32)
    x[0] += 100
    data = Dataset({"train": {"inputs": x, "targets": np.int32(x[:, 1] > 0)}}, ("no", "yes"))
    learner = Supervised(model=Normalised(2), optimizer=SGD(learning_rate=0.1))
    training = Training(epochs=2, batch_size=batch_size, monitor="none")
    trained = fit(learner, data, training).state
    arrays = data.split("train")
    one = {name: value[:1] for name, value in arrays.items()}
    state = jax.jit(learner.init)(jax.random.key(0), one)
    step = jax.jit(learner.step)
    for epoch in range(2):
        drawn = data.order(0, epoch, batch_size) if batch_size else np.arange(25)
        for first in range(0, 25, batch_size or 25):
            index = drawn[first : first + (batch_size or 25)]
            state, _ = step(state, {name: value[index] for name, value in arrays.items()})
    for one, other in zip(
        jax.tree.leaves((trained.params, trained.model_state)),
        jax.tree.leaves((state.params, state.model_state)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
