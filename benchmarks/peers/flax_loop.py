"""Flax as its examples use it: a ``TrainState``, a jitted step, NumPy batches, a Python loop."""

import flax.linen as nn
import jax
import numpy as np
import optax
from flax.training.train_state import TrainState

from benchmarks.workloads import (
    CLASSES,
    LEARNING_RATE,
    SIDE,
    Digits,
    Workload,
    place_by_shape,
    scaled,
)


class Classifier(nn.Module):
    """The workload's model."""

    workload: Workload

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (batch, 28, 28, 1) to logits (batch, 10)."""
        for size, features in self.workload.convolutions:
            x = nn.relu(nn.Conv(features, (size, size), padding="VALID")(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.tanh(nn.Dense(self.workload.hidden)(x.reshape(len(x), -1)))
        return nn.Dense(CLASSES)(x)


@jax.jit
def train_step(state: TrainState, images: jax.Array, labels: jax.Array):
    """One update; returns the new state and the loss."""

    def objective(params):
        logits = state.apply_fn({"params": params}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.value_and_grad(objective)(state.params)
    return state.apply_gradients(grads=gradients), loss


class Flax:
    """Trains with one call of a jitted step a batch."""

    def __init__(self, workload: Workload, digits: Digits, weights):
        self._batch_size = workload.batch_size
        self._images, self._labels = scaled(digits.train_images), digits.train_labels
        model = Classifier(workload)
        example = np.zeros((1, SIDE, SIDE, 1), np.float32)
        params = place_by_shape(model.init(jax.random.key(0), example)["params"], weights)
        self._state = TrainState.create(
            apply_fn=model.apply, params=jax.device_put(params), tx=optax.sgd(LEARNING_RATE)
        )

    def epoch(self, order: np.ndarray) -> None:
        """Trains for an epoch."""
        losses = []
        for first in range(0, len(order), self._batch_size):
            batch = order[first : first + self._batch_size]
            self._state, loss = train_step(self._state, self._images[batch], self._labels[batch])
            losses.append(loss)
        jax.block_until_ready((self._state.params, losses))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the outputs (n, 10)."""
        return np.asarray(self._state.apply_fn({"params": self._state.params}, scaled(images)))


build = Flax
