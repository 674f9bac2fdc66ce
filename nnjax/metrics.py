"""Metrics that add up: over batches, steps and devices, exactly, every example counted once.

A metric is a pair of sums. Adding two metrics (leaf by leaf) gives the metric of both sets of
examples together, so an epoch adds batches and several devices add with ``lax.psum``. Masked
examples, those with weight 0, count for nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from nnjax.errors import choose
from nnjax.losses import as_vectors

Metric = Literal["accuracy", "top5_accuracy", "sequence_accuracy", "mean_absolute_error"]

NOT_METRICS = ("step", "epoch", "split")
"""What a record of a run holds beside metrics."""

SMALLER_IS_BETTER = ("loss", "mean_absolute_error")

OF_CLASSES = ("accuracy", "top5_accuracy", "sequence_accuracy")
"""The metrics that mean something for class labels only."""


@flax.struct.dataclass
class Mean:
    """A mean of one number per example: ``total / count``.

    Attributes:
      total: float32 sum over the examples.
      count: float32 number of examples, exact up to 2^24; larger sums are rounded to float32.
    """

    total: jax.Array
    count: jax.Array

    @classmethod
    def of(cls, values: jax.Array, mask: jax.Array | None = None) -> "Mean":
        """The mean of ``values`` over those whose ``mask``, of the same shape, is not 0."""
        if mask is None:
            total = jnp.sum(values, dtype=jnp.float32)
            return cls(total, jnp.full_like(total, values.size))
        mask = mask.astype(jnp.float32)
        # `where`, not a product: a masked example may hold NaN, and NaN * 0 is NaN.
        return cls(jnp.sum(jnp.where(mask > 0, values, 0.0) * mask), jnp.sum(mask))

    def value(self) -> float:
        """The mean as a Python number; NaN where nothing was counted."""
        count = float(self.count)
        return float(self.total) / count if count else float("nan")


Metrics = Mapping[str, Any]
"""Metrics by name; what ``step`` and ``evaluate`` return."""


def add(left: Metrics, right: Metrics) -> Metrics:
    """The metrics of two disjoint sets of examples taken together."""
    return jax.tree.map(jnp.add, left, right)


def nothing(measure: Callable[..., Metrics], *arguments: Any) -> Metrics:
    """The metrics of no examples, shaped like those that ``measure(*arguments)`` would give."""
    shapes = jax.eval_shape(measure, *arguments)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def values(metrics: Metrics) -> dict[str, float]:
    """Fetches metrics from the device, as Python numbers by name."""
    return {name: metric.value() for name, metric in jax.device_get(dict(metrics)).items()}


def counted(
    values: jax.Array, targets: jax.Array, mask: jax.Array | None = None
) -> jax.Array | None:
    """Which of a batch's numbers count.

    Args:
      values: (batch,) one number per example, or (batch, time) one per target.
      targets: of the batch; of whole numbers (batch, time), class indices, the negative ones are
        padding.
      mask: (batch,), 0 for examples that do not count; None where all do.

    Returns:
      A mask of the shape of ``values``; None where every number counts.
    """
    if values.ndim == 1:
        return mask
    present = None
    if targets.ndim == values.ndim and jnp.issubdtype(targets.dtype, jnp.integer):
        present = (targets >= 0).astype(jnp.float32)
    if mask is None or present is None:
        return present if mask is None else jnp.broadcast_to(mask[:, None], values.shape)
    return present * mask[:, None]


def class_index(outputs: jax.Array) -> jax.Array:
    """The predicted class: the largest of several outputs, or whether a single one is >= 1/2.

    Args:
      outputs: (batch, outputs), activations (not logits) where there is a single output.

    Returns:
      (batch,) int32.
    """
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] >= 0.5).astype(jnp.int32)
    return jnp.argmax(outputs, axis=-1).astype(jnp.int32)


def _labels(targets: jax.Array, outputs: jax.Array) -> jax.Array:
    """Class indices (batch,) of targets given as indices or as one-hot vectors."""
    return class_index(targets) if targets.ndim == outputs.ndim else targets


def accuracy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where the predicted class is the target's, else 0; shape (batch,)."""
    return (class_index(outputs) == _labels(targets, outputs)).astype(jnp.float32)


def sequence_accuracy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where every class of a sequence is right, else 0; shape (batch,).

    Args:
      outputs: (batch, time, classes).
      targets: (batch, time) class indices; negative ones are padding and may be anything.
    """
    right = (class_index(outputs) == targets) | (targets < 0)
    return jnp.all(right, axis=tuple(range(1, targets.ndim))).astype(jnp.float32)


def top_k_accuracy(outputs: jax.Array, targets: jax.Array, k: int = 5) -> jax.Array:
    """1 where the target is among the ``k`` largest outputs, else 0; shape (batch,).

    A single output tells two classes apart, both of which are among the first two.
    """
    if outputs.shape[-1] == 1:
        right = accuracy(outputs, targets)
        return right if k == 1 else jnp.ones_like(right)
    _, best = jax.lax.top_k(outputs, min(k, outputs.shape[-1]))
    return jnp.any(best == _labels(targets, outputs)[..., None], axis=-1).astype(jnp.float32)


def mean_absolute_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1/K sum_k |f_k - v_k|; shape (batch,)."""
    return jnp.mean(jnp.abs(outputs - as_vectors(targets, outputs)), axis=-1)


_FUNCTIONS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "accuracy": accuracy,
    "top5_accuracy": top_k_accuracy,
    "sequence_accuracy": sequence_accuracy,
    "mean_absolute_error": mean_absolute_error,
}


def by_name(name: str | Callable) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the metric of that name: a function (predictions, targets) -> a number per target.

    Raises:
      UserError: the name is unknown.
    """
    return name if callable(name) else choose("metric", name, _FUNCTIONS)


def name_of(metric: str | Callable) -> str:
    """What a metric is called where it is recorded: a function of one's own by its name."""
    return metric if isinstance(metric, str) else metric.__name__


def confusion_matrix(
    predicted: ArrayLike, labels: ArrayLike, classes: int, mask: jax.Array | None = None
) -> jax.Array:
    """Counts pairs of (label, prediction).

    Args:
      predicted: (batch,) predicted class indices.
      labels: (batch,) true class indices.
      classes: number of classes K.
      mask: (batch,), 0 for examples to leave out.

    Returns:
      (K, K) int32; row: the true class, column: the predicted one. Adds up over batches.
    """
    counted = jnp.ones_like(labels, jnp.int32) if mask is None else (mask > 0).astype(jnp.int32)
    return jnp.zeros((classes, classes), jnp.int32).at[labels, predicted].add(counted)
