"""Losses, by the names used in the field: one number per example.

Every loss takes ``outputs`` of shape (batch, outputs) as the model gives them and ``targets``:
class indices of shape (batch,), one-hot or real vectors of shape (batch, outputs). It returns
float32 of shape (batch,). Sequences have one more axis: class indices of shape (batch, time) give
losses of shape (batch, time). The learner averages the losses and leaves masked examples out.

The cross-entropies take *logits*, the outputs before the last activation; :func:`predictions`
applies the activation that belongs to each loss. A logit may be infinite: a class with logit -inf
has probability 0, and the loss of any other class stays finite, with finite gradients.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast, get_args

import jax
import jax.numpy as jnp

from nnjax.activations import threshold
from nnjax.calls import function_name
from nnjax.errors import UserError, choose
from nnjax.traced import check_number, is_plain

Loss = Literal[
    "quadratic",
    "mean_squared_error",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "perceptron",
]

LossFunction = Callable[..., jax.Array]
"""A loss of one's own: ``(outputs, targets) -> values``; see :func:`per_target`."""

Function = TypeVar("Function", bound=Callable[..., Any])

Reduction = Literal["mean", "sum"]
"""How the losses of a batch become one number."""


def as_vectors(
    targets: jax.Array, outputs: jax.Array, smoothing: float | jax.Array = 0.0
) -> jax.Array:
    """Returns targets in the shape of the outputs: class indices become one-hot vectors.

    With one output, class indices 0 and 1 become the numbers 0 and 1.

    Args:
      targets: (batch,) integers, or numbers of the shape of the outputs.
      outputs: (batch, outputs).
      smoothing: label smoothing epsilon in [0, 1): one-hot targets become
        (1 - epsilon) target + epsilon / outputs (Szegedy et al. 2016).

    Raises:
      UserError: the targets fit the outputs in none of these ways.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import as_vectors
      >>> as_vectors(jnp.array([2, 0]), jnp.zeros((2, 3)))
      Array([[0., 0., 1.],
             [1., 0., 0.]], dtype=float32)
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


def allow_missing_targets(loss: Function) -> Function:
    """Returns a loss whose gradient is 0 for an example with a target that is not finite.

    The value of such an example is not finite either, so that a missing target goes unnoticed only
    where a mask leaves it out; without this, the gradient under the mask would be 0 * NaN.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.losses import allow_missing_targets
      >>> @allow_missing_targets
      ... def loss(outputs, targets):
      ...     return jnp.sum(jnp.square(outputs - targets), axis=-1)
      >>> outputs, targets = jnp.array([[1.0], [1.0]]), jnp.array([[jnp.nan], [3.0]])
      >>> jax.grad(lambda outputs: loss(outputs, targets)[1])(outputs).tolist()
      [[0.0], [-4.0]]
    """

    @functools.wraps(loss)
    def with_missing(outputs: jax.Array, targets: jax.Array, *options: Any, **named: Any) -> Any:
        if not jnp.issubdtype(jnp.result_type(targets), jnp.floating):
            return loss(outputs, targets, *options, **named)
        targets = jnp.asarray(targets)
        missing = ~jnp.isfinite(targets)
        values = loss(outputs, jnp.where(missing, 0.0, targets), *options, **named)
        if missing.ndim > values.ndim:
            axes = tuple(range(values.ndim, missing.ndim))
            missing, targets = jnp.any(missing, axes), jnp.sum(jnp.abs(targets), axes)
        return jnp.where(missing, jnp.abs(targets), values)

    return cast(Function, with_missing)


@allow_missing_targets
def quadratic(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Half the squared error, 1/2 sum_k (f_k - v_k)^2; shape (batch,).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import quadratic
      >>> quadratic(jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 0.0]]))
      Array([2.], dtype=float32)
    """
    return 0.5 * jnp.sum(jnp.square(outputs - as_vectors(targets, outputs)), axis=-1)


@allow_missing_targets
def mean_squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Squared error averaged over the outputs, 1/K sum_k (f_k - v_k)^2; shape (batch,).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import mean_squared_error
      >>> mean_squared_error(jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 0.0]]))
      Array([2.], dtype=float32)
    """
    return jnp.mean(jnp.square(outputs - as_vectors(targets, outputs)), axis=-1)


@allow_missing_targets
def binary_cross_entropy(
    outputs: jax.Array, targets: jax.Array, smoothing: float | jax.Array = 0.0
) -> jax.Array:
    """-sum_k [v_k log sigmoid(z_k) + (1 - v_k) log(1 - sigmoid(z_k))], from logits z; (batch,).

    The loss is the negative log-likelihood of the label vector, hence a sum over the outputs. Its
    gradient with respect to z is sigmoid(z) - v.

    Args:
      outputs: logits (batch, outputs).
      targets: labels 0 and 1, or probabilities.
      smoothing: label smoothing epsilon in [0, 1): v becomes (1 - epsilon) v + epsilon / 2.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import binary_cross_entropy
      >>> binary_cross_entropy(jnp.array([[0.0], [jnp.inf]]), jnp.array([1, 1]))
      Array([0.6931472, 0.       ], dtype=float32)
    """
    targets = as_vectors(targets, outputs)
    if not is_plain(smoothing, 0):
        targets = (1 - smoothing) * targets + smoothing / 2
    # The usual softplus(z) - v z is inf - inf for z = inf, v = 1, and 0 * inf for z = -inf, v = 0.
    positive = outputs >= 0
    distance = jnp.where(positive, outputs, -outputs)
    weight = jnp.where(positive, 1 - targets, targets)
    return jnp.sum(_product(weight, distance) + jax.nn.softplus(-distance), axis=-1)


@allow_missing_targets
def categorical_cross_entropy(
    outputs: jax.Array, targets: jax.Array, smoothing: float | jax.Array = 0.0
) -> jax.Array:
    """-sum_k v_k log softmax(z)_k, from logits z; shape (batch,).

    Args:
      outputs: logits (batch, classes).
      targets: class indices (batch,), or probability vectors (batch, classes).
      smoothing: label smoothing epsilon, as in :func:`as_vectors`.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import categorical_cross_entropy
      >>> categorical_cross_entropy(jnp.array([[0.0, 0.0, -jnp.inf]]), jnp.array([0]))
      Array([0.6931472], dtype=float32)
    """
    log_normaliser = jax.nn.logsumexp(outputs, axis=-1)
    vectors = as_vectors(targets, outputs, smoothing)
    likelihood = jnp.sum(_product(vectors, outputs), axis=-1)
    return log_normaliser * jnp.sum(vectors, axis=-1) - likelihood


@allow_missing_targets
def perceptron(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """(f - v) z with f = threshold(z) held constant; its gradient step is Rosenblatt's rule.

    0 for an example that is classified correctly, |z| otherwise (Rosenblatt 1958); shape (batch,).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import perceptron
      >>> perceptron(jnp.array([[2.0], [2.0]]), jnp.array([1, 0]))
      Array([0., 2.], dtype=float32)
    """
    error = jax.lax.stop_gradient(threshold(outputs)) - as_vectors(targets, outputs)
    return jnp.sum(_product(error, outputs), axis=-1)


def _product(weights: jax.Array, values: jax.Array) -> jax.Array:
    """``weights * values``, where a weight of 0 gives 0 whatever the value; so does its gradient.

    Plain multiplication would give NaN for 0 * inf.
    """
    counts = weights != 0
    # `where` twice: the derivative of the unused product would be 0 * inf, too.
    return jnp.where(counts, weights * jnp.where(counts, values, 0.0), 0.0)


_FUNCTIONS: dict[str, LossFunction] = {
    "quadratic": quadratic,
    "mean_squared_error": mean_squared_error,
    "binary_cross_entropy": binary_cross_entropy,
    "categorical_cross_entropy": categorical_cross_entropy,
    "perceptron": perceptron,
}

_OPTAX_CROSS_ENTROPIES = {
    "softmax_cross_entropy": "categorical_cross_entropy",
    "safe_softmax_cross_entropy": "categorical_cross_entropy",
    "softmax_cross_entropy_with_integer_labels": "categorical_cross_entropy",
    "sigmoid_binary_cross_entropy": "binary_cross_entropy",
}
"""Losses of Optax whose activation is known, and the loss here that has the same activation."""

SMOOTHED = ("binary_cross_entropy", "categorical_cross_entropy")
"""The losses that take a label smoothing."""

SQUARED = ("quadratic", "mean_squared_error")
"""The losses that are sums of squares, as Levenberg-Marquardt needs them."""


def check(loss: str | LossFunction, smoothing: float | jax.Array) -> None:
    """Refuses an unknown loss, and a label smoothing that the loss cannot take.

    Raises:
      UserError: the loss is unknown, or the smoothing is out of [0, 1) or for a loss that takes
        none.

    Example:
      >>> from nnjax.losses import check
      >>> check("categorical_cross_entropy", 0.1)
    """
    if not isinstance(loss, str) and not callable(loss):
        raise UserError(f"loss must be a name or a function of outputs and targets, not {loss!r}")
    function = by_name(loss)
    check_number("label smoothing", smoothing, at_least=0, below=1)
    if not is_plain(smoothing, 0) and not _takes_smoothing(function):
        raise UserError(
            f"the loss '{name_of(loss)}' takes no label smoothing; only {', '.join(SMOOTHED)} do"
        )


def check_reduction(reduction: str) -> None:
    """Refuses a reduction other than "mean" and "sum".

    Raises:
      UserError: the reduction is unknown.

    Example:
      >>> from nnjax.losses import check_reduction
      >>> check_reduction("mean")
    """
    if reduction not in get_args(Reduction):
        raise UserError(f"reduction must be 'mean' or 'sum', not {reduction!r}")


def _takes_smoothing(function: LossFunction) -> bool:
    """Whether a loss, also one of the user's own, has an argument ``smoothing``."""
    try:
        return "smoothing" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # Some callables have no signature.
        return False


def by_name(name: str | LossFunction) -> LossFunction:
    """Returns the loss of that name; a function is returned as it is.

    Raises:
      UserError: the name is unknown.

    Example:
      >>> from nnjax.losses import by_name
      >>> by_name("quadratic").__name__
      'quadratic'
    """
    return name if callable(name) else choose("loss", name, _FUNCTIONS)


def name_of(loss: str | LossFunction) -> str:
    """Returns the name of a loss; a ``functools.partial`` has the name of its function.

    Example:
      >>> import functools, optax
      >>> from nnjax.losses import name_of
      >>> name_of(functools.partial(optax.huber_loss, delta=2.0))
      'huber_loss'
    """
    return loss if isinstance(loss, str) else function_name(loss)


def known_name(loss: str | LossFunction) -> str | None:
    """Returns the name of the loss here with the same activation; None for any other function.

    Example:
      >>> import optax
      >>> from nnjax.losses import known_name
      >>> known_name(optax.softmax_cross_entropy_with_integer_labels)
      'categorical_cross_entropy'
    """
    if isinstance(loss, str):
        return loss
    while isinstance(loss, functools.partial):
        loss = loss.func
    for name, function in _FUNCTIONS.items():
        if function is loss:
            return name
    if getattr(loss, "__module__", "").partition(".")[0] == "optax":
        return _OPTAX_CROSS_ENTROPIES.get(getattr(loss, "__name__", ""))
    return None


def per_target(
    function: Callable[..., Any], outputs: jax.Array, targets: jax.Array, what: str = "loss"
) -> jax.Array:
    """Calls a loss or metric of one's own and returns one number per target.

    The function gets the targets as the data has them. If it refuses those, or would broadcast
    arrays of unequal rank, it gets them in the shape of the outputs (see :func:`as_vectors`): so
    Optax's losses on class indices and those on vectors work alike. A function that returns one
    number per output, such as ``optax.squared_error``, is averaged over the outputs.

    Args:
      function: ``(outputs, targets) -> values``.
      outputs: (batch, outputs) or (batch, time, outputs).
      targets: (batch,), (batch, time), or of the shape of the outputs.
      what: names the function in messages: "loss" or "metric".

    Returns:
      (batch,) or (batch, time), float32.

    Raises:
      UserError: the function fails on these arrays, or returns another shape.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> from nnjax.losses import per_target
      >>> per_target(optax.squared_error, jnp.array([[1.0], [2.0]]), jnp.array([3.0, 2.0]))
      Array([4., 0.], dtype=float32)
    """
    given = _fitting_targets(function, outputs, targets)
    name = f"the {what} '{function_name(function)}'"
    try:
        values = jnp.asarray(function(outputs, given))
    except UserError:
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{name} fails on outputs of shape {outputs.shape} and {targets.dtype} targets of "
            f"shape {targets.shape}: {first}"
        ) from error
    if values.shape == outputs.shape:
        values = jnp.mean(values, axis=-1)
    if values.shape not in (outputs.shape[:1], outputs.shape[:-1]):
        raise UserError(
            f"{name} returns values of shape {values.shape} for outputs of shape {outputs.shape}; "
            f"return one number per example, {outputs.shape[:1]}, without averaging over the batch"
        )
    return values.astype(jnp.float32)


def _fitting_targets(
    function: Callable[..., Any], outputs: jax.Array, targets: jax.Array
) -> jax.Array:
    """The targets as they are or in the shape of the outputs, whichever the function accepts."""
    if targets.shape == outputs.shape:
        return targets
    shapes = (outputs.shape, outputs.shape[:-1], outputs.shape[:1])
    # Of arrays of shapes (batch, 1) and (batch,), broadcasting would silently make (batch, batch).
    with jax.numpy_rank_promotion("raise"):
        for given in (lambda: targets, lambda: as_vectors(targets, outputs)):
            try:
                if jax.eval_shape(function, outputs, given()).shape in shapes:
                    return given()
            # Which exception a function raises for targets that do not fit is its own affair.
            except Exception:
                continue
    return targets


def predictions(name: str | LossFunction, outputs: jax.Array) -> jax.Array:
    """Returns what a model predicts: the activation that a loss keeps inside, of its outputs.

    Returns:
      (batch, outputs): softmax for the categorical and sigmoid for the binary cross-entropy,
      Optax's included, 0 or 1 for the perceptron, the outputs themselves for any other loss.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import predictions
      >>> predictions("categorical_cross_entropy", jnp.array([[0.0, 0.0]]))
      Array([[0.5, 0.5]], dtype=float32)
    """
    known = known_name(name)
    if known == "categorical_cross_entropy":
        # Not jax.nn.softmax: its sum, fused with the products of the layers before it, takes XLA on
        # a CPU up to 500 times as long (30 s for 40,000 examples of 1,000 hidden units).
        return jnp.exp(outputs - jax.nn.logsumexp(outputs, axis=-1, keepdims=True))
    if known == "binary_cross_entropy":
        return jax.nn.sigmoid(outputs)
    if known == "perceptron":
        return threshold(outputs)
    return outputs


Predicted = Literal["probabilities", "values", "raw outputs"]
"""What :func:`predictions` returns."""


def kind_of_predictions(name: str | LossFunction) -> Predicted:
    """Returns what :func:`predictions` gives for a loss.

    Returns:
      "probabilities" for the cross-entropies; "values" for the other losses of this module, in the
      units of the targets; "raw outputs" for a function whose activation is not known.

    Example:
      >>> from nnjax.losses import kind_of_predictions
      >>> kind_of_predictions("mean_squared_error")
      'values'
    """
    known = known_name(name)
    if known is None:
        return "raw outputs"
    return "probabilities" if known in SMOOTHED else "values"


def scores(name: str | LossFunction, outputs: jax.Array) -> jax.Array:
    """Returns numbers that rank the classes as :func:`predictions` do, at less cost.

    Returns:
      (batch, outputs): the logits, where there are several; else the predictions.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.losses import scores
      >>> scores("categorical_cross_entropy", jnp.array([[2.0, 1.0]]))
      Array([[2., 1.]], dtype=float32)
    """
    several = outputs.shape[-1] > 1
    return outputs if several and known_name(name) != "perceptron" else predictions(name, outputs)
