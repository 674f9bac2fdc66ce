"""The predictions of a trained learner for a whole split."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from nnjax.data.dataset import Dataset, Stream
from nnjax.learners.state import State
from nnjax.training.evaluation import batch_size


def predict(learner: Any, state: State, data: Dataset, split: str) -> np.ndarray:
    """Predictions (examples, outputs) for a whole split, in order; float32.

    Example:
      >>> import jax
      >>> from nnjax.data import Circles
      >>> from nnjax.figures import predict
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.optimizers import SGD
      >>> data = Circles().load()
      >>> learner = Supervised(MLP(outputs=2), optimizer=SGD(learning_rate=0.1))
      >>> state = learner.init(jax.random.key(0), data.example())
      >>> predict(learner, state, data, "test").shape == (data.size("test"), 2)
      True
    """
    return predict_with_targets(learner, state, data, split)[0]


def predict_with_targets(
    learner: Any, state: State, data: Dataset | Stream, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (examples, outputs) and targets (examples, ...) of a split, in one order.

    Args:
      learner: with ``predict(state, inputs)``.
      state: on any devices; the first computes.
      data: arrays or a stream.
      split: "train", "validation" or "test".

    Returns:
      float32 (examples, outputs) and targets (examples, ...); of sequences (examples, time,
      outputs) and (examples, time), where batches differ in time padded to the longest, targets
      with -1.
    """
    state = jax.device_put(state, jax.local_devices()[0])
    forward = jax.jit(
        lambda state, x: learner.predict(state, data.prepare({"inputs": x})["inputs"])
    )
    outputs, targets = [], []
    # The last batch is padded, so that one compiled program serves all batches.
    for batch in data.batches(split, min(batch_size(data), data.size(split))):
        counted = np.asarray(batch["mask"]) > 0
        outputs.append(np.asarray(forward(state, batch["inputs"]))[counted])
        targets.append(np.asarray(batch["targets"])[counted])
    return _joined(outputs, 0), _joined(targets, -1)


def _joined(batches: Sequence[np.ndarray], padding: float) -> np.ndarray:
    """Batches (examples, ...) concatenated, each padded to the largest shape of an example."""
    largest = np.max([batch.shape[1:] for batch in batches], axis=0)

    def widths(shape: tuple[int, ...]) -> list[tuple[int, int]]:
        return [(0, 0), *((0, most - size) for most, size in zip(largest, shape, strict=True))]

    return np.concatenate(
        [np.pad(batch, widths(batch.shape[1:]), constant_values=padding) for batch in batches]
    )


def flat(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (n, outputs) and targets (n, ...); each element of a sequence is an example."""
    if outputs.ndim < 3:
        return outputs, targets
    present = np.ones(outputs.shape[:-1], bool)
    if targets.ndim == 2 and np.issubdtype(targets.dtype, np.integer):
        present = targets >= 0
    return outputs[present], targets[present]


def class_indices(targets: np.ndarray) -> np.ndarray:
    """Targets given as indices (n,), as one-hot vectors (n, classes) or as (n, 1): indices (n,)."""
    if targets.ndim == 1:
        return targets.astype(int)
    return targets.argmax(1) if targets.shape[1] > 1 else (targets[:, 0] >= 0.5).astype(int)


def output_names(classes: Sequence[str], outputs: int) -> tuple[str, ...]:
    """A name for each output of a classifier: its class, or "output 10" beyond the classes.

    Args:
      classes: the names of the classes.
      outputs: how many outputs the model has; one output means two classes.
    """
    return (*classes, *(f"output {index}" for index in range(len(classes), outputs)))


def decisions(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The predicted class of each example and the probability given to it, both (examples,)."""
    if probabilities.shape[1] == 1:
        second = probabilities[:, 0]
        return (second >= 0.5).astype(int), np.where(second >= 0.5, second, 1 - second)
    predicted = probabilities.argmax(1)
    return predicted, probabilities[np.arange(len(predicted)), predicted]
