"""Metrics that add up: over batches, steps and devices, exactly, every example counted once.

A metric is a pair of sums. Adding two metrics (leaf by leaf) gives the metric of both sets of
examples together, so an epoch adds batches and several devices add with ``lax.psum``. Masked
examples, those with weight 0, count for nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from nnjax.calls import function_name
from nnjax.errors import UserError, choose
from nnjax.losses import allow_missing_targets, as_vectors

Metric = Literal["accuracy", "top5_accuracy", "sequence_accuracy", "mean_absolute_error"]

MetricFunction = Callable[..., jax.Array]
"""A metric of one's own: ``(predictions, targets) -> values``, one number per target."""

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

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import Mean
      >>> Mean.of(jnp.array([1.0, 2.0, jnp.nan]), mask=jnp.array([1.0, 1.0, 0.0])).value()
      1.5
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
    """Returns the metrics of two disjoint sets of examples taken together.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import Mean, add
      >>> batches = [{"loss": Mean.of(jnp.array(values))} for values in ([1.0, 2.0], [6.0])]
      >>> add(*batches)["loss"].value()
      3.0
    """
    return jax.tree.map(jnp.add, left, right)


def nothing(measure: Callable[..., Metrics], *arguments: Any) -> Metrics:
    """Returns the metrics of no examples, shaped like those of ``measure(*arguments)``.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import Mean, nothing
      >>> nothing(lambda values: {"loss": Mean.of(values)}, jnp.ones(3))["loss"].count
      Array(0., dtype=float32)
    """
    shapes = jax.eval_shape(measure, *arguments)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def values(metrics: Metrics) -> dict[str, float]:
    """Fetches metrics from the device and returns them as Python numbers by name.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import Mean, values
      >>> values({"loss": Mean.of(jnp.array([1.0, 2.0]))})
      {'loss': 1.5}
    """
    return {name: metric.value() for name, metric in jax.device_get(dict(metrics)).items()}


def present(
    targets: jax.Array, outputs: jax.Array, mask: jax.Array | None = None
) -> jax.Array | None:
    """Returns which targets of a batch count.

    Args:
      targets: of the batch. Negative class indices are padding: integers of shape (batch, time), or
        of shape (batch,) where the model has several outputs.
      outputs: (batch, outputs) or (batch, time, outputs).
      mask: (batch,), 0 for examples that do not count; None where all do.

    Returns:
      float32 weights (batch,) or (batch, time), the outputs' shape without its last axis; None
      where every target counts.

    Raises:
      UserError: the mask has another shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import present
      >>> present(jnp.array([[4, -1], [-1, -1]]), jnp.zeros((2, 2, 5)))
      Array([[1., 0.],
             [0., 0.]], dtype=float32)
    """
    shape = outputs.shape[:-1]
    if mask is not None and mask.shape != shape[:1]:
        raise UserError(
            f"the mask has shape {mask.shape}; give one number per example, of shape {shape[:1]}"
        )
    are_indices = targets.shape == shape and jnp.issubdtype(targets.dtype, jnp.integer)
    weights = None
    # A single output makes integers numbers to fit, not class indices.
    if are_indices and (targets.ndim > 1 or outputs.shape[-1] > 1):
        weights = (targets >= 0).astype(jnp.float32)
    if mask is None:
        return weights
    mask = mask.astype(jnp.float32).reshape(-1, *(1,) * (len(shape) - 1))
    return jnp.broadcast_to(mask, shape) if weights is None else mask * weights


def counted(values: jax.Array, weights: jax.Array | None) -> jax.Array | None:
    """Returns the weights of a batch's numbers from the weights of its targets.

    Args:
      values: (batch,) one number per example, or (batch, time) one per target.
      weights: of the targets, as :func:`present` returns them.

    Returns:
      Weights of the shape of ``values``; None where every number counts. A number of a whole
      sequence has the largest weight of its targets: a row that is padding alone does not count.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import counted
      >>> counted(jnp.ones(2), jnp.array([[1.0, 0.0], [0.0, 0.0]]))
      Array([1., 0.], dtype=float32)
    """
    if weights is None or weights.ndim == values.ndim:
        return weights
    return jnp.max(weights, axis=tuple(range(values.ndim, weights.ndim)))


def class_index(outputs: jax.Array) -> jax.Array:
    """Returns the predicted class: that of the largest output, or whether a single one is >= 1/2.

    Args:
      outputs: (batch, outputs), activations (not logits) where there is a single output.

    Returns:
      (batch,) int32.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import class_index
      >>> class_index(jnp.array([[0.1, 0.7, 0.2]]))
      Array([1], dtype=int32)
    """
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] >= 0.5).astype(jnp.int32)
    return jnp.argmax(outputs, axis=-1).astype(jnp.int32)


def _labels(targets: jax.Array, outputs: jax.Array) -> jax.Array:
    """Class indices (batch,) of targets given as indices or as one-hot vectors."""
    return class_index(targets) if targets.ndim == outputs.ndim else targets


def accuracy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where the predicted class is the target's, else 0; shape (batch,).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import accuracy
      >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
      Array([1., 0.], dtype=float32)
    """
    return (class_index(outputs) == _labels(targets, outputs)).astype(jnp.float32)


def sequence_accuracy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where every class of a sequence is right, else 0; shape (batch,).

    Args:
      outputs: (batch, time, classes).
      targets: (batch, time) class indices; negative ones are padding, where any output is right. A
        row that is padding alone should not count: see :func:`counted`.

    Example:
      >>> import jax
      >>> from nnjax.metrics import sequence_accuracy
      >>> outputs = jax.nn.one_hot(jax.numpy.array([[0, 1], [0, 0]]), 2)
      >>> sequence_accuracy(outputs, jax.numpy.array([[0, 1], [0, 1]]))
      Array([1., 0.], dtype=float32)
    """
    right = (class_index(outputs) == targets) | (targets < 0)
    return jnp.all(right, axis=tuple(range(1, targets.ndim))).astype(jnp.float32)


def top_k_accuracy(outputs: jax.Array, targets: jax.Array, k: int = 5) -> jax.Array:
    """1 where the target is among the ``k`` largest outputs, else 0; shape (batch,).

    A single output tells two classes apart, both of which are among the first two.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import top_k_accuracy
      >>> top_k_accuracy(jnp.array([[0.1, 0.7, 0.2]]), jnp.array([2]), k=2)
      Array([1.], dtype=float32)
    """
    if outputs.shape[-1] == 1:
        right = accuracy(outputs, targets)
        return right if k == 1 else jnp.ones_like(right)
    _, best = jax.lax.top_k(outputs, min(k, outputs.shape[-1]))
    return jnp.any(best == _labels(targets, outputs)[..., None], axis=-1).astype(jnp.float32)


@allow_missing_targets
def mean_absolute_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """1/K sum_k |f_k - v_k|; shape (batch,).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.metrics import mean_absolute_error
      >>> mean_absolute_error(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]]))
      Array([1.5], dtype=float32)
    """
    return jnp.mean(jnp.abs(outputs - as_vectors(targets, outputs)), axis=-1)


_FUNCTIONS: dict[str, MetricFunction] = {
    "accuracy": accuracy,
    "top5_accuracy": top_k_accuracy,
    "sequence_accuracy": sequence_accuracy,
    "mean_absolute_error": mean_absolute_error,
}


def by_name(name: str | MetricFunction) -> MetricFunction:
    """Returns the metric of that name, a function (predictions, targets) -> a number per target.

    Raises:
      UserError: the name is unknown.

    Example:
      >>> from nnjax.metrics import by_name
      >>> by_name("accuracy").__name__
      'accuracy'
    """
    return name if callable(name) else choose("metric", name, _FUNCTIONS)


def name_of(metric: str | MetricFunction) -> str:
    """Returns the name under which a metric is recorded: a function's own name.

    A ``functools.partial`` has the name of its function.

    Example:
      >>> import functools
      >>> from nnjax.metrics import name_of, top_k_accuracy
      >>> name_of(functools.partial(top_k_accuracy, k=3))
      'top_k_accuracy'
    """
    return metric if isinstance(metric, str) else function_name(metric)


def check(metrics: Sequence[str | MetricFunction]) -> None:
    """Refuses metrics that a record could not tell apart, and unknown ones.

    Raises:
      UserError: a name is unknown, is given twice, or is "loss", "step", "epoch" or "split"; or the
        metrics are not a sequence of names and functions.

    Example:
      >>> from nnjax.metrics import check
      >>> check(("accuracy", "top5_accuracy"))
    """
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise UserError(f"metrics must be a tuple, such as ('accuracy',), not {metrics!r}")
    seen: set[str] = set()
    for metric in metrics:
        if not isinstance(metric, str) and not callable(metric):
            raise UserError(f"a metric must be a name or a function, not {metric!r}")
        by_name(metric)
        name = name_of(metric)
        if name == "loss" or name in NOT_METRICS:
            raise UserError(
                f"a metric cannot be named '{name}', the name of something else in the records of "
                "a run; rename its function"
            )
        if name in seen:
            raise UserError(
                f"two metrics are named '{name}', and a record holds one of each name; leave one "
                "out, or define each with def under a name of its own"
            )
        seen.add(name)


def confusion_matrix(
    predicted: ArrayLike, labels: ArrayLike, classes: int, mask: ArrayLike | None = None
) -> jax.Array:
    """Returns the counts of pairs (label, prediction).

    Args:
      predicted: (batch,) predicted class indices, integers.
      labels: (batch,) true class indices, integers.
      classes: number of classes K.
      mask: (batch,), 0 for examples to leave out.

    Returns:
      (K, K) int32; row: the true class, column: the predicted one. Matrices of batches add up.
      Under a JAX transformation, where values cannot be refused, every count is -1 if a class index
      that counts is out of range.

    Raises:
      UserError: a class index that counts is not in 0 .. K - 1.

    Example:
      >>> from nnjax.metrics import confusion_matrix
      >>> confusion_matrix([0, 1, 1], [0, 0, 1], classes=2)
      Array([[1, 1],
             [0, 1]], dtype=int32)
    """
    predicted, labels = jnp.asarray(predicted), jnp.asarray(labels)
    counts = jnp.ones(labels.shape, bool) if mask is None else jnp.asarray(mask) > 0
    inside = (predicted >= 0) & (predicted < classes) & (labels >= 0) & (labels < classes)
    outside = counts & ~inside
    if not isinstance(outside, Tracer):
        _check_inside(np.asarray(outside), predicted, labels, classes)
    safe = jnp.where(inside, labels, 0), jnp.where(inside, predicted, 0)
    matrix = jnp.zeros((classes, classes), jnp.int32)
    matrix = matrix.at[safe].add((counts & inside).astype(jnp.int32))
    return jnp.where(jnp.any(outside), -1, matrix)


def _check_inside(
    outside: np.ndarray, predicted: jax.Array, labels: jax.Array, classes: int
) -> None:
    if not outside.any():
        return
    place = int(outside.argmax())
    prediction, label = int(predicted[place]), int(labels[place])
    what, index = ("label", label) if not 0 <= label < classes else ("prediction", prediction)
    raise UserError(
        f"{what} {index} is none of the {classes} classes, 0 to {classes - 1}; give the number of "
        "classes that the model has outputs for, or leave such examples out by the mask"
    )
