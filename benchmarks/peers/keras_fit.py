"""Keras 3 on JAX: ``compile`` and ``fit`` on arrays in memory."""

import os

os.environ["KERAS_BACKEND"] = "jax"  # read when Keras is imported

import jax
import keras
import numpy as np
from keras import layers

from benchmarks.workloads import CLASSES, LEARNING_RATE, SIDE, Digits, Workload, scaled


class Keras:
    """Trains with one call of ``fit`` an epoch.

    The examples are permuted before ``fit`` instead of by it, so that all peers have the same
    order. The permutation is part of the measured time, because a shuffling ``fit`` does it too.
    """

    def __init__(self, workload: Workload, digits: Digits, weights):
        self._flat = not workload.convolutions
        self._batch_size = workload.batch_size
        self._images = self._inputs(digits.train_images)
        self._labels = digits.train_labels
        self._model = make_model(workload)
        self._model.set_weights([array for layer in weights for array in layer])
        self._model.compile(
            optimizer=keras.optimizers.SGD(LEARNING_RATE),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def _inputs(self, images: np.ndarray) -> np.ndarray:
        inputs = scaled(images)
        return inputs.reshape(len(inputs), -1) if self._flat else inputs

    def epoch(self, order: np.ndarray) -> None:
        """Trains for an epoch."""
        self._model.fit(
            self._images[order],
            self._labels[order],
            batch_size=self._batch_size,
            shuffle=False,
            verbose=0,  # pyright: ignore[reportArgumentType]
        )
        jax.block_until_ready([variable.value for variable in self._model.variables])

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the outputs (n, 10)."""
        return np.asarray(self._model(self._inputs(images), training=False))


def make_model(workload: Workload) -> keras.Model:
    """The workload's model."""
    model = keras.Sequential()
    if workload.convolutions:
        model.add(keras.Input((SIDE, SIDE, 1)))
    else:
        model.add(keras.Input((SIDE * SIDE,)))
    for size, features in workload.convolutions:
        model.add(layers.Conv2D(features, size, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    if workload.convolutions:
        model.add(layers.Flatten())
    model.add(layers.Dense(workload.hidden, activation="tanh"))
    model.add(layers.Dense(CLASSES))
    return model


build = Keras
