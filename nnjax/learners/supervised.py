"""Supervised learning by stochastic gradients."""

import dataclasses
import inspect
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from nnjax import losses, parameters
from nnjax import metrics as measures
from nnjax.data.dataset import Batch
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.metrics import Mean, Metric, Metrics
from nnjax.optimizers import SGD, Optimizer
from nnjax.precision import Precision, cast_floats
from nnjax.traced import check_number, is_plain

CARRY = "carry"
"""The collection in which a model keeps the state that goes from a batch's rows to the next's."""


@dataclasses.dataclass(frozen=True)
class Supervised:
    """Fits a model to targets: one gradient step of the mean loss a batch.

    Any numeric field, here or in the model and the optimizer, may be a traced array
    (``dataclasses.replace`` inside the traced function), so that one compiled program serves every
    learning rate, penalty or dropout rate, and ``jax.vmap`` trains many at once.

    Attributes:
      model: a Flax module called as ``model(inputs, train=...)``.
      loss: what is minimised, averaged over the examples of a batch.
      optimizer: how parameters follow the gradient.
      metrics: what is measured beside the loss.
      l2: lambda of the penalty (lambda / 2) sum w^2 on weights only, added once a batch.
      label_smoothing: epsilon in [0, 1), for the cross-entropies.
      reduction: "mean" or "sum" of the loss over the examples of a batch.
      precision: dtype of the forward and backward pass; parameters and their updates stay float32.
    """

    model: nn.Module
    loss: losses.Loss = "categorical_cross_entropy"
    optimizer: Optimizer = dataclasses.field(default_factory=SGD)
    metrics: tuple[Metric, ...] = ("accuracy",)
    l2: float = 0.0
    label_smoothing: float = 0.0
    reduction: losses.Reduction = "mean"
    precision: Precision = "float32"

    def __post_init__(self):
        check_number("penalty l2", self.l2, at_least=0)
        losses.check_smoothing(self.loss, self.label_smoothing)

    def init(self, key: jax.Array, example: Batch) -> State:
        """Draws the parameters.

        Args:
          key: typed PRNG key (``jax.random.key(seed)``).
          example: a batch, or its shapes; only shapes and dtypes of ``inputs`` matter.

        Raises:
          UserError: the model is not one that a learner can train.
        """
        params_key, state_key = jax.random.split(key)
        inputs = jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), example["inputs"])
        variables = _variables(self.model, params_key, inputs)
        params = variables.pop("params")
        return State(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=variables,
            optimizer_state=self.optimizer.build(params).init(params),
            key=state_key,
        )

    def step(
        self, state: State, batch: Batch, axis_name: str | None = None
    ) -> tuple[State, Metrics]:
        """One update.

        Args:
          state: the state before.
          batch: ``inputs`` (batch, ...), ``targets`` and an optional ``mask`` (batch,). What is
            masked counts for nothing in loss and metrics; its inputs must be finite, for what a
            model computes across examples (a batch normalisation) sees them. Of class indices
            (batch, time), each is an example of its own, and negative ones count for nothing.
          axis_name: the mapped axis when called under ``jax.pmap`` or ``jax.shard_map``, each
            device with its own part of the batch: gradients and metrics are those of the whole.

        Returns:
          The state after, and the metrics of the batch before the update.
        """
        gradient = jax.value_and_grad(self._objective, has_aux=True)
        params = _varying(state.params, axis_name)
        (_, (measured, model_state)), gradients = gradient(params, state, batch, axis_name)
        if axis_name is not None:
            # The state that a recurrence carries on is each device's own: that of its rows.
            shared = {name: part for name, part in model_state.items() if name != CARRY}
            gradients, shared = jax.lax.pmean((gradients, shared), axis_name)
            model_state = {**model_state, **shared}
            measured = jax.lax.psum(measured, axis_name)
        updates, optimizer_state = self.optimizer.build(state.params).update(
            gradients, state.optimizer_state, state.params
        )
        state = dataclasses.replace(
            state,
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            model_state=model_state,
            optimizer_state=optimizer_state,
        )
        return state, measured

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Measures a batch, without dropout; masked examples count for nothing."""
        outputs = self.outputs(state, batch["inputs"])
        return self._measure(self._losses(outputs, batch["targets"]), outputs, batch)

    def predict(self, state: State, inputs: jax.Array) -> jax.Array:
        """Probabilities (or values, for a regression) of shape (batch, outputs)."""
        return losses.predictions(self.loss, self.outputs(state, inputs))

    def outputs(self, state: State, inputs: jax.Array) -> jax.Array:
        """The model's outputs in evaluation, float32 (batch, ..., outputs); logits, mostly.

        Uses the averaged parameters where the optimizer keeps an average.
        """
        params = self.optimizer.evaluation_params(state.params, state.optimizer_state)
        outputs, _ = self._apply(params, state.model_state, inputs, train=False)
        return outputs

    def _apply(self, params, model_state, inputs, *, train: bool, key: jax.Array | None = None):
        """Runs the model at the learner's precision; returns float32 outputs and model state."""
        variables = {"params": cast_floats(params, self.precision), **model_state}
        inputs = cast_floats(inputs, self.precision)
        outputs: Any
        if not train:
            outputs = self.model.apply(variables, inputs, train=False)
            return outputs.astype(jnp.float32), model_state
        assert key is not None
        outputs, model_state = self.model.apply(
            variables, inputs, train=True, rngs={"dropout": key}, mutable=list(model_state)
        )
        return outputs.astype(jnp.float32), cast_floats(dict(model_state), "float32")

    def _objective(self, params, state: State, batch: Batch, axis_name: str | None):
        """The number to differentiate, with metrics and model state beside it.

        Under ``axis_name`` each device returns its share, such that the *mean* over the devices is
        the objective of the whole batch, however the mask falls.
        """
        key = jax.random.fold_in(state.key, state.step)
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        outputs, model_state = self._apply(
            params, state.model_state, batch["inputs"], train=True, key=key
        )
        values = self._losses(outputs, batch["targets"])
        measured = self._measure(values, outputs, batch)
        objective = measured["loss"].total
        if self.reduction == "mean":
            count = measured["loss"].count
            objective = objective / (
                count if axis_name is None else jax.lax.pmean(count, axis_name)
            )
        elif axis_name is not None:
            objective = objective * jax.lax.psum(1, axis_name)
        if not is_plain(self.l2, 0):
            objective = objective + 0.5 * self.l2 * sum_of_squared_weights(params)
        return objective, (measured, model_state)

    def _losses(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """The loss of each target, (batch,) or (batch, time)."""
        loss = losses.by_name(self.loss)
        if is_plain(self.label_smoothing, 0):
            return loss(outputs, targets)
        return loss(outputs, targets, smoothing=self.label_smoothing)

    def _measure(self, values: jax.Array, outputs: jax.Array, batch: Batch) -> dict[str, Mean]:
        """The loss and every other metric of a batch."""
        targets, mask = batch["targets"], batch.get("mask")
        measured = {"loss": Mean.of(values, measures.counted(values, targets, mask))}
        for name in self.metrics:
            predict = losses.scores if name in measures.OF_CLASSES else losses.predictions
            numbers = measures.by_name(name)(predict(self.loss, outputs), targets)
            counted = measures.counted(numbers, targets, mask)
            measured[measures.name_of(name)] = Mean.of(numbers, counted)
        return measured


def sum_of_squared_weights(params: Any) -> jax.Array:
    """Adds up w^2 over every parameter that is a weight, not a bias or a normalisation's scale."""
    leaves = jax.tree.leaves_with_path(params)
    weights = [leaf for path, leaf in leaves if parameters.is_weight(path)]
    return sum((jnp.sum(jnp.square(leaf.astype(jnp.float32))) for leaf in weights), jnp.float32(0))


def _variables(model: nn.Module, key: jax.Array, inputs: Any) -> dict[str, Any]:
    """A model's first variables.

    Raises:
      UserError: it takes no ``train``, has no parameters, or gives no arrays of floats.
    """
    name = type(model).__name__
    options = inspect.signature(model.__call__).parameters.values()
    if not any(option.name == "train" or option.kind == option.VAR_KEYWORD for option in options):
        raise UserError(
            f"{name} is called with train=True in training and train=False in evaluation: let its "
            "__call__ take train"
        )
    outputs, variables = model.init_with_output({"params": key}, inputs, train=False)
    if not variables.get("params"):
        raise UserError(f"{name} has no parameters to train")
    dtype, ndim = getattr(outputs, "dtype", None), getattr(outputs, "ndim", 0)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or ndim < 2:
        shown = type(outputs).__name__ if dtype is None else f"{dtype} of shape {outputs.shape}"
        raise UserError(f"the outputs of {name} are {shown}; return floats (batch, ..., outputs)")
    return dict(variables)


def _varying(params: Any, axis_name: str | None) -> Any:
    """Marks replicated parameters as varying over the mapped axis, for ``jax.shard_map``.

    Differentiating with respect to replicated parameters inside ``shard_map`` already sums the
    gradient over the devices, and the ``pmean`` that follows would leave it too large by their
    number. Of varying parameters it gives each device's own gradient, as under ``pmap``.
    """
    if axis_name is None:
        return params
    return jax.tree.map(lambda leaf: jax.lax.pcast(leaf, axis_name, to="varying"), params)
