"""Supervised learning by stochastic gradients."""

import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from nnjax import calls, losses, optimizers, parameters
from nnjax import metrics as measures
from nnjax.data.dataset import Batch
from nnjax.errors import UserError
from nnjax.learners import masking
from nnjax.learners.state import State
from nnjax.metrics import Mean, Metric, Metrics
from nnjax.optimizers import SGD, Optimizer
from nnjax.precision import Precision, cast_floats
from nnjax.traced import check_number, is_plain

CARRY = "carry"
"""The collection in which a model keeps the state that each row hands to the next batch."""


@dataclasses.dataclass(frozen=True)
class Supervised:
    """Fits a model to targets; a step follows the gradient of the mean loss of a batch.

    Any numeric field, here or in the model and the optimizer, may be a traced array
    (``dataclasses.replace`` inside the traced function), so that one compiled program serves every
    learning rate, penalty or dropout rate, and ``jax.vmap`` trains many at once.

    Attributes:
      model: a Flax module called as ``model(inputs, train=...)``.
      loss: the loss to minimise, averaged over the examples of a batch: a name, or a function
        ``(outputs, targets) -> one number per example``, such as one of Optax's (see
        :func:`nnjax.losses.per_target`).
      optimizer: how parameters follow the gradient: one of :mod:`nnjax.optimizers`, a
        transformation of Optax, or a function without arguments that makes one.
      metrics: what is measured beside the loss: names, or functions ``(predictions, targets) ->
        one number per example``, each recorded under its own name.
      l2: lambda of the penalty (lambda / 2) sum w^2 on weights only, added once an update.
      label_smoothing: epsilon in [0, 1), for the cross-entropies.
      reduction: "mean" or "sum" of the loss over the examples of an update.
      precision: dtype of the forward and backward pass; parameters and their updates stay float32.
      larger_is_better: the names of those metrics of one's own of which a larger value is better; a
        run that monitors one of them needs it. () where a smaller value is better for all.

    Raises:
      UserError: a value is out of range, a loss or metric is unknown, or two metrics have one name.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> learner = Supervised(MLP(features=(4,), outputs=3))
      >>> batch = {"inputs": jnp.ones((2, 5)), "targets": jnp.array([0, 2])}
      >>> state = learner.init(jax.random.key(0), batch)
      >>> state, metrics = learner.step(state, batch)
      >>> int(state.step), sorted(metrics)
      (1, ['accuracy', 'loss'])
    """

    model: nn.Module
    loss: losses.Loss | Callable = "categorical_cross_entropy"
    optimizer: optimizers.AnyOptimizer = dataclasses.field(default_factory=SGD)
    metrics: tuple[Metric | Callable, ...] = ("accuracy",)
    l2: float = 0.0
    label_smoothing: float = 0.0
    reduction: losses.Reduction = "mean"
    precision: Precision = "float32"
    larger_is_better: tuple[str, ...] | None = None

    def __post_init__(self):
        check_number("penalty l2", self.l2, at_least=0)
        losses.check(self.loss, self.label_smoothing)
        losses.check_reduction(self.reduction)
        measures.check(self.metrics)

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
            optimizer_state=optimizers.build(self.optimizer, params).init(params),
            key=state_key,
        )

    def step(
        self, state: State, batch: Batch, axis_name: str | None = None
    ) -> tuple[State, Metrics]:
        """One update.

        Args:
          state: the state before.
          batch: ``inputs`` (batch, ...), ``targets`` and an optional ``mask`` (batch,). Masked
            examples count for nothing in loss, gradients, metrics and the statistics of every
            ``flax.linen.BatchNorm``, whatever they hold. A layer of one's own that computes across
            examples sees them, the finite numbers as they are. Of class indices (batch, time),
            each is an example of its own, and negative ones count for nothing.
          axis_name: the mapped axis when called under ``jax.pmap`` or ``jax.shard_map``, each
            device with its own part of the batch: gradients and metrics are those of the whole.

        Returns:
          The state after, and the metrics of the batch before the update.
        """
        gradient = jax.value_and_grad(self._objective, has_aux=True)
        params = _varying(state.params, axis_name)
        (_, (measured, model_state)), gradients = gradient(params, state, batch, axis_name)
        if axis_name is not None:
            gradients = jax.lax.pmean(gradients, axis_name)
            measured = jax.lax.psum(measured, axis_name)
        updates, optimizer_state = optimizers.build(self.optimizer, state.params).update(
            gradients, state.optimizer_state, state.params, **self._accumulation(measured)
        )
        state = dataclasses.replace(
            state,
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            model_state=_merge(state.model_state, model_state, batch.get("mask"), axis_name),
            optimizer_state=optimizer_state,
        )
        return state, measured

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Measures a batch, without dropout; masked examples count for nothing."""
        return self._measure(self.outputs(state, batch["inputs"]), batch)

    @property
    def predicts(self) -> losses.Predicted:
        """What :meth:`predict` returns: "probabilities", "values" or "raw outputs"."""
        return losses.kind_of_predictions(self.loss)

    def predict(self, state: State, inputs: jax.Array) -> jax.Array:
        """Predictions of shape (batch, outputs), of the kind that :attr:`predicts` names.

        Probabilities for a cross-entropy, Optax's included; values in the units of the targets for
        a squared error; the model's raw outputs for a loss whose activation is not known.
        """
        return losses.predictions(self.loss, self.outputs(state, inputs))

    def outputs(self, state: State, inputs: jax.Array) -> jax.Array:
        """The model's outputs in evaluation, float32 (batch, ..., outputs); logits, mostly.

        Uses the averaged parameters where the optimizer keeps an average.
        """
        params = optimizers.evaluation_params(self.optimizer, state.params, state.optimizer_state)
        outputs, _ = self._apply(params, state.model_state, inputs, train=False)
        return outputs

    def _apply(self, params, model_state, inputs, *, train: bool, key: jax.Array | None = None):
        """Runs the model at the learner's precision; returns float32 outputs and model state."""
        variables = {"params": cast_floats(params, self.precision), **model_state}
        inputs = cast_floats(inputs, self.precision)
        outputs: Any
        if not train:
            try:
                outputs = self.model.apply(variables, inputs, train=False)
            except flax.errors.InvalidRngError as error:
                name = re.search(r'PRNG for "(.*?)"', str(error))
                kind = f" '{name[1]}'" if name else ""
                raise UserError(
                    f"{type(self.model).__name__} draws random numbers{kind} in evaluation, whose "
                    "result must not depend on chance; draw them only where train is True"
                ) from error
            return outputs.astype(jnp.float32), model_state
        assert key is not None
        # A model gets the key of "params" for any other kind of random numbers it asks for.
        # Augmentation draws from fold_in(key, 1).
        rngs = {"dropout": key, "params": jax.random.fold_in(key, 2)}
        outputs, model_state = self.model.apply(
            variables, inputs, train=True, rngs=rngs, mutable=list(model_state)
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
        mask = batch.get("mask")
        inputs = masking.clean_inputs(batch["inputs"], mask)
        with masking.normalised_over(mask) if mask is not None else contextlib.nullcontext():
            outputs, model_state = self._apply(
                params, state.model_state, inputs, train=True, key=key
            )
        measured = self._measure(outputs, batch)
        objective, count = measured["loss"].total, measured["loss"].count
        if self.reduction == "mean" and not self._accumulates:
            count = count if axis_name is None else jax.lax.pmean(count, axis_name)
            # Where every example is masked the objective is 0, not 0 / 0.
            objective = objective / jnp.where(count > 0, count, 1.0)
        elif axis_name is not None:
            objective = objective * jax.lax.psum(1, axis_name)
        if not self._accumulates and not is_plain(self.l2, 0):
            objective = objective + self._penalty(params)
        return objective, (measured, model_state)

    @property
    def _accumulates(self) -> bool:
        return isinstance(self.optimizer, Optimizer) and self.optimizer.accumulation_steps > 1

    def _accumulation(self, measured: Metrics) -> dict[str, Any]:
        """What the optimizer needs to add up batches: the gradients it gets are sums."""
        if not self._accumulates:
            return {}
        return {
            "count": measured["loss"].count,
            "mean": self.reduction == "mean",
            "penalty": None if is_plain(self.l2, 0) else jax.grad(self._penalty),
        }

    def _penalty(self, params: Any) -> jax.Array:
        return 0.5 * self.l2 * sum_of_squared_weights(params)

    def _losses(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """The loss of each target, (batch,) or (batch, time)."""
        loss = losses.by_name(self.loss)
        if not is_plain(self.label_smoothing, 0):
            loss = functools.partial(loss, smoothing=self.label_smoothing)
        if isinstance(self.loss, str):
            return loss(outputs, targets)
        return losses.per_target(loss, outputs, targets)

    def _measure(self, outputs: jax.Array, batch: Batch) -> dict[str, Mean]:
        """The loss and every other metric of a batch."""
        if "targets" not in batch:
            raise UserError(f"a batch must hold 'targets' to learn from, not only {sorted(batch)}")
        targets = batch["targets"]
        weights = measures.present(targets, outputs, batch.get("mask"))
        values = self._losses(*masking.clean_targets(outputs, targets, weights))
        measured = {"loss": Mean.of(values, measures.counted(values, weights))}
        for metric in self.metrics:
            predict = losses.scores if metric in measures.OF_CLASSES else losses.predictions
            numbers = measures.by_name(metric)
            arguments = predict(self.loss, outputs), targets
            if isinstance(metric, str):
                values = numbers(*arguments)
            else:
                values = losses.per_target(numbers, *arguments, what="metric")
            measured[measures.name_of(metric)] = Mean.of(values, measures.counted(values, weights))
        return measured


def sum_of_squared_weights(params: Any) -> jax.Array:
    """Adds up w^2 over every parameter that is a weight, not a bias or a normalisation's scale."""
    leaves = jax.tree.leaves_with_path(params)
    weights = [leaf for path, leaf in leaves if parameters.is_weight(path)]
    return sum((jnp.sum(jnp.square(leaf.astype(jnp.float32))) for leaf in weights), jnp.float32(0))


def _variables(model: nn.Module, key: jax.Array, inputs: Any) -> dict[str, Any]:
    """A model's first variables.

    Raises:
      UserError: it cannot be called as ``model(inputs, train=...)``, has no parameters, or returns
        something other than floats (batch, ..., outputs).
    """
    name = type(model).__name__
    calls.check_arguments(model)
    if not calls.takes_train(model):
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


def _merge(before: Any, after: Any, mask: jax.Array | None, axis_name: str | None) -> Any:
    """The model state after an update: that of the whole batch, whatever the mask leaves out.

    Under a mapped axis every device has measured its own part of the batch; each part weighs as
    many examples as it counts. Where no example counts, the state stays as it was. What a
    recurrence carries on belongs to the rows of each device, and stays there.
    """
    shared = {name: part for name, part in after.items() if name != CARRY}
    if not shared or (mask is None and axis_name is None):
        return after
    if mask is None:
        return {**after, **jax.lax.pmean(shared, axis_name)}
    count = jnp.sum(mask > 0, dtype=jnp.float32)
    whole = count if axis_name is None else jax.lax.psum(count, axis_name)

    def merge(old: jax.Array, new: jax.Array) -> jax.Array:
        if axis_name is not None:
            mean = jax.lax.psum(new * count, axis_name) / jnp.where(whole > 0, whole, 1.0)
            new = mean.astype(new.dtype)
        return jnp.where(whole > 0, new, old)

    known = {name: before[name] for name in shared}
    return {**after, **jax.tree.map(merge, known, shared)}


def _varying(params: Any, axis_name: str | None) -> Any:
    """Marks replicated parameters as varying over the mapped axis, for ``jax.shard_map``.

    Differentiating with respect to replicated parameters inside ``shard_map`` already sums the
    gradient over the devices, and the ``pmean`` that follows would leave it too large by their
    number. Of varying parameters it gives each device's own gradient, as under ``pmap``.
    """
    if axis_name is None:
        return params
    return jax.tree.map(lambda leaf: jax.lax.pcast(leaf, axis_name, to="varying"), params)
