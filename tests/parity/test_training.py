"""Whole training runs: the parameters of PyTorch and Keras after many updates."""

import jax
import numpy as np
import pytest

from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

GENERATOR = np.random.default_rng(0)
BATCHES = [
    {
        "inputs": GENERATOR.normal(size=(16, 8)).astype(np.float32),
        "targets": GENERATOR.integers(0, 4, 16).astype(np.int32),
    }
    for _ in range(10)
]
LAYERS = ("hidden1", "output")


def train_ours(learner, updates):
    state = learner.init(jax.random.key(0), BATCHES[0])
    start = jax.device_get(state.params)
    step, losses = jax.jit(learner.step), []
    for update in range(updates):
        state, measured = step(state, BATCHES[update % 10])
        losses.append(measured["loss"].value())
    return start, jax.device_get(state.params), losses


def test_fifty_updates_with_momentum_and_a_penalty_are_torchs():
    learner = Supervised(
        MLP(features=(12,), outputs=4), optimizer=SGD(learning_rate=0.1, momentum=0.9), l2=0.01
    )
    start, params, losses = train_ours(learner, 50)
    linears = [torch.nn.Linear(8, 12), torch.nn.Linear(12, 4)]
    with torch.no_grad():
        for linear, name in zip(linears, LAYERS, strict=True):
            linear.weight.copy_(torch.tensor(start[name]["kernel"].copy()))
            linear.bias.copy_(torch.tensor(start[name]["bias"]))
    network = torch.nn.Sequential(linears[0], torch.nn.Tanh(), linears[1])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    expected = []
    for update in range(50):
        batch = BATCHES[update % 10]
        outputs = network(torch.tensor(batch["inputs"]))
        loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(batch["targets"]).long())
        penalty = 0.005 * sum(linear.weight.square().sum() for linear in linears)
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    for linear, name in zip(linears, LAYERS, strict=True):
        np.testing.assert_allclose(
            params[name]["kernel"], linear.weight.detach().numpy(), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            params[name]["bias"], linear.bias.detach().numpy(), rtol=1e-4, atol=1e-5
        )


def keras_weights(params):
    """In Keras's order, its kernels being (inputs, features)."""
    return [w for name in LAYERS for w in (params[name]["kernel"].T, params[name]["bias"])]


def test_twenty_updates_of_adam_are_kerass():
    # Where the two put epsilon differs, so it is made too small to matter.
    learner = Supervised(
        MLP(features=(12,), outputs=4, activation="relu"),
        optimizer=Adam(learning_rate=0.01, epsilon=1e-12),
    )
    start, params, losses = train_ours(learner, 20)
    network = keras.Sequential(
        [keras.layers.Input((8,)), keras.layers.Dense(12, activation="relu"), keras.layers.Dense(4)]
    )
    network.set_weights(keras_weights(start))
    network.compile(
        keras.optimizers.Adam(0.01, epsilon=1e-12),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    expected = []
    for update in range(20):
        batch = BATCHES[update % 10]
        network.reset_metrics()
        expected.append(float(network.train_on_batch(batch["inputs"], batch["targets"])))
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(keras_weights(params), network.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs.value), rtol=1e-4, atol=1e-5)
