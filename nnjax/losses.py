"""Losses, by the names used in the field: one number per example.

Every loss takes ``outputs`` of shape (batch, outputs) as the model gives them and ``targets``:
class indices of shape (batch,), one-hot or real vectors of shape (batch, outputs). It returns
float32 of shape (batch,); averaging and masking are the learner's business.

The cross-entropies take *logits*, the outputs before the last activation; :func:`predictions`
applies the activation that belongs to each loss.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from nnjax.activations import threshold
from nnjax.errors import UserError, choose
from nnjax.traced import check_number, is_plain

Loss = Literal[
    "quadratic",
    "mean_squared_error",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "perceptron",
]

Reduction = Literal["mean", "sum"]
"""How the losses of a batch become one number."""


def as_vectors(targets: jax.Array, outputs: jax.Array, smoothing: float | jax.Array = 0.0):
    """Returns targets in the shape of the outputs: class indices become one-hot vectors.

    With one output, class indices 0 and 1 become the numbers 0 and 1.

    Args:
      targets: (batch,) integers, or anything of the shape of the outputs.
      outputs: (batch, outputs).
      smoothing: label smoothing epsilon in [0, 1): one-hot targets become
        (1 - epsilon) target + epsilon / outputs (Szegedy et al. 2016).

    Raises:
      UserError: the targets fit the outputs in none of these ways.
    """
    classes = outputs.shape[-1]
    given = f"{targets.dtype} targets of shape {targets.shape}"
    if targets.ndim == outputs.ndim - 1:
        if classes == 1:
            targets = targets[..., None]
        elif jnp.issubdtype(targets.dtype, jnp.integer):
            targets = jax.nn.one_hot(targets, classes)
    # Broadcasting would hide the mistake.
    if targets.shape != outputs.shape:
        raise UserError(
            f"{given} do not fit outputs of shape {outputs.shape}: give class indices (batch,) or "
            f"vectors (batch, {classes})"
        )
    targets = targets.astype(outputs.dtype)
    if is_plain(smoothing, 0):
        return targets
    return (1 - smoothing) * targets + smoothing / classes


def quadratic(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Half the squared error, 1/2 sum_k (f_k - v_k)^2."""
    return 0.5 * jnp.sum(jnp.square(outputs - as_vectors(targets, outputs)), axis=-1)


def mean_squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Squared error averaged over the outputs, 1/K sum_k (f_k - v_k)^2."""
    return jnp.mean(jnp.square(outputs - as_vectors(targets, outputs)), axis=-1)


def binary_cross_entropy(
    outputs: jax.Array, targets: jax.Array, smoothing: float | jax.Array = 0.0
) -> jax.Array:
    """-sum_k [v_k log sigmoid(z_k) + (1 - v_k) log(1 - sigmoid(z_k))], from logits z.

    The gradient with respect to z is sigmoid(z) - v, the "output error" of the lectures. It is the
    negative log-likelihood of the label vector, hence a sum over the outputs.
    """
    targets = as_vectors(targets, outputs)
    if not is_plain(smoothing, 0):
        targets = (1 - smoothing) * targets + smoothing / 2
    return jnp.sum(jax.nn.softplus(outputs) - targets * outputs, axis=-1)


def categorical_cross_entropy(
    outputs: jax.Array, targets: jax.Array, smoothing: float | jax.Array = 0.0
) -> jax.Array:
    """-sum_k v_k log softmax(z)_k, from logits z, for class indices or probability vectors v."""
    log_normaliser = jax.nn.logsumexp(outputs, axis=-1)
    vectors = as_vectors(targets, outputs, smoothing)
    return log_normaliser * jnp.sum(vectors, axis=-1) - jnp.sum(vectors * outputs, axis=-1)


def perceptron(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """(f - v) z with f = threshold(z) held constant: its gradient step is Rosenblatt's rule.

    Zero for a correctly classified example, |z| otherwise (Rosenblatt 1958).
    """
    error = jax.lax.stop_gradient(threshold(outputs)) - as_vectors(targets, outputs)
    return jnp.sum(error * outputs, axis=-1)


_FUNCTIONS: dict[str, Callable[..., jax.Array]] = {
    "quadratic": quadratic,
    "mean_squared_error": mean_squared_error,
    "binary_cross_entropy": binary_cross_entropy,
    "categorical_cross_entropy": categorical_cross_entropy,
    "perceptron": perceptron,
}

SMOOTHED = ("binary_cross_entropy", "categorical_cross_entropy")
"""The losses that take a label smoothing."""

SQUARED = ("quadratic", "mean_squared_error")
"""The losses that are sums of squares, which Levenberg-Marquardt asks for."""


def check_smoothing(name: str | Callable[..., jax.Array], smoothing: float | jax.Array) -> None:
    """Refuses a label smoothing out of [0, 1), or one for a loss that takes none.

    Raises:
      UserError: so it is.
    """
    check_number("label smoothing", smoothing, at_least=0, below=1)
    if isinstance(name, str) and name not in SMOOTHED and not is_plain(smoothing, 0):
        raise UserError(
            f"the loss '{name}' takes no label smoothing; only {', '.join(SMOOTHED)} do"
        )


def by_name(name: str | Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Returns the loss of that name; a function is returned as it is.

    Raises:
      UserError: the name is unknown.
    """
    return name if callable(name) else choose("loss", name, _FUNCTIONS)


def predictions(name: str | Callable[..., jax.Array], outputs: jax.Array) -> jax.Array:
    """Applies the activation that a loss keeps inside: logits become probabilities.

    Returns:
      (batch, outputs): softmax for the categorical and sigmoid for the binary cross-entropy, 0 or 1
      for the perceptron, the outputs themselves for any other loss.
    """
    if name == "categorical_cross_entropy":
        # Not jax.nn.softmax: its sum, fused with the products of the layers before it, takes XLA on
        # a CPU up to 500 times as long (30 s for 40,000 examples of 1,000 hidden units).
        return jnp.exp(outputs - jax.nn.logsumexp(outputs, axis=-1, keepdims=True))
    if name == "binary_cross_entropy":
        return jax.nn.sigmoid(outputs)
    if name == "perceptron":
        return threshold(outputs)
    return outputs


def scores(name: str | Callable[..., jax.Array], outputs: jax.Array) -> jax.Array:
    """Numbers that rank the classes as :func:`predictions` do, without the cost of probabilities.

    Returns:
      (batch, outputs): the logits, where there are several; else the predictions.
    """
    several = outputs.shape[-1] > 1
    return outputs if several and name != "perceptron" else predictions(name, outputs)
