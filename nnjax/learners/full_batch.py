"""Supervised learning by a second-order solver, on all examples at once."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import losses, metrics, parameters
from nnjax.data.dataset import Batch
from nnjax.errors import UserError
from nnjax.learners import masking
from nnjax.learners.state import State
from nnjax.learners.supervised import Supervised, sum_of_squared_weights
from nnjax.metrics import Metric, Metrics
from nnjax.solvers import LBFGS, Solver
from nnjax.traced import check_number, is_plain


@dataclasses.dataclass(frozen=True)
class FullBatch:
    """Fits a model to targets; a step is an iteration of a solver on the loss of all examples.

    ``step`` must get the same batch every time, the whole training split. The model runs as in
    evaluation, without dropout, since a solver needs a function that does not change.

    Attributes:
      model: a Flax module called as ``model(inputs, train=False)``.
      loss: the loss to minimise, averaged over the examples: a name or a function, as in
        :class:`Supervised`.
      solver: how parameters approach the minimum.
      metrics: what is measured beside the loss: names or functions.
      l2: lambda of the penalty (lambda / 2) sum w^2 on weights only.
      label_smoothing: epsilon in [0, 1), for the cross-entropies.
      reduction: "mean" or "sum" of the loss over the examples.
      larger_is_better: as in :class:`Supervised`.

    Raises:
      UserError: a value is out of range, a loss or metric is unknown, or the solver needs a squared
        cost and the loss is none.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.learners import FullBatch
      >>> from nnjax.models import MLP
      >>> learner = FullBatch(MLP(features=(2,), outputs=1), loss="quadratic", metrics=())
      >>> batch = {"inputs": jnp.ones((3, 2)), "targets": jnp.zeros(3)}
      >>> state = learner.init(jax.random.key(0), batch)
      >>> state, before = learner.step(state, batch)
      >>> learner.evaluate(state, batch)["loss"].value() < before["loss"].value()
      True
    """

    model: nn.Module
    loss: losses.Loss | Callable = "categorical_cross_entropy"
    solver: Solver = dataclasses.field(default_factory=LBFGS)
    metrics: tuple[Metric | Callable, ...] = ("accuracy",)
    l2: float = 0.0
    label_smoothing: float = 0.0
    reduction: losses.Reduction = "mean"
    larger_is_better: tuple[str, ...] | None = None

    def __post_init__(self):
        check_number("penalty l2", self.l2, at_least=0)
        losses.check(self.loss, self.label_smoothing)
        losses.check_reduction(self.reduction)
        metrics.check(self.metrics)
        if not isinstance(self.solver, Solver):
            raise UserError(
                f"the solver must be one of nnjax.solvers, such as LBFGS(), not {self.solver!r}"
            )
        if self.solver.least_squares and losses.known_name(self.loss) not in losses.SQUARED:
            loss = losses.name_of(self.loss)
            raise UserError(
                f"{type(self.solver).__name__} needs a squared cost, not '{loss}'; choose one "
                f"of {', '.join(losses.SQUARED)}, or another solver such as LBFGS"
            )

    def init(self, key: jax.Array, example: Batch) -> State:
        """Draws the parameters.

        Args:
          key: typed PRNG key (``jax.random.key(seed)``).
          example: a batch, or its shapes.

        Raises:
          UserError: the model is too large for the solver.
        """
        state = self._supervised().init(key, example)
        batch = jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), dict(example))
        objective = self._objective(state, batch)
        return dataclasses.replace(state, optimizer_state=self.solver.init(objective, state.params))

    def step(
        self, state: State, batch: Batch, axis_name: str | None = None
    ) -> tuple[State, Metrics]:
        """One iteration of the solver.

        Args:
          state: the state before.
          batch: ``inputs`` (batch, ...), ``targets`` and an optional ``mask`` (batch,).
          axis_name: must be None; spread the batch over devices by sharding, under ``jax.jit``.

        Returns:
          The state after, and the metrics before the iteration.
        """
        if axis_name is not None:
            raise UserError(
                f"a solver cannot run under the mapped axis '{axis_name}'; shard the batch instead"
            )
        params, solver_state = self.solver.step(
            self._objective(state, batch), state.params, state.optimizer_state
        )
        after = dataclasses.replace(
            state, step=state.step + 1, params=params, optimizer_state=solver_state
        )
        return after, self.evaluate(state, batch)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Measures a batch; masked examples count for nothing."""
        return self._supervised().evaluate(state, batch)

    @property
    def predicts(self) -> losses.Predicted:
        """What :meth:`predict` returns: "probabilities", "values" or "raw outputs"."""
        return losses.kind_of_predictions(self.loss)

    def predict(self, state: State, inputs: jax.Array) -> jax.Array:
        """Predictions of shape (batch, outputs), of the kind that :attr:`predicts` names."""
        return self._supervised().predict(state, inputs)

    def outputs(self, state: State, inputs: jax.Array) -> jax.Array:
        """The model's outputs, float32 (batch, outputs); logits for a cross-entropy."""
        return self._supervised().outputs(state, inputs)

    def _supervised(self) -> Supervised:
        """The learner that shares everything but the update."""
        return Supervised(
            model=self.model,
            loss=self.loss,
            metrics=self.metrics,
            label_smoothing=self.label_smoothing,
        )

    def _objective(self, state: State, batch: Batch):
        """The function of the parameters that the solver gets."""
        function = self._residuals if self.solver.least_squares else self._loss
        return lambda params: function(dataclasses.replace(state, params=params), batch)

    def _loss(self, state: State, batch: Batch) -> jax.Array:
        """The number to minimise."""
        loss = self.evaluate(state, _clean(batch))["loss"]
        value = loss.total
        if self.reduction == "mean":
            value = value / jnp.where(loss.count > 0, loss.count, 1.0)
        if is_plain(self.l2, 0):
            return value
        return value + 0.5 * self.l2 * sum_of_squared_weights(state.params)

    def _residuals(self, state: State, batch: Batch) -> jax.Array:
        """The vector r with 1/2 sum r^2 equal to ``_loss``: scaled errors, then scaled weights."""
        outputs = self.outputs(state, _clean(batch)["inputs"])
        weights = metrics.present(batch["targets"], outputs, batch.get("mask"))
        outputs, targets = masking.clean_targets(outputs, batch["targets"], weights)
        errors = outputs - losses.as_vectors(targets, outputs)
        weights = jnp.ones(errors.shape[:-1]) if weights is None else weights
        scale = 1.0 if losses.known_name(self.loss) == "quadratic" else 2 / outputs.shape[-1]
        if self.reduction == "mean":
            count = jnp.sum(weights)
            scale = scale / jnp.where(count > 0, count, 1.0)
        residuals = errors * jnp.sqrt(scale * weights)[..., None]
        if is_plain(self.l2, 0):
            return residuals.ravel()
        penalties = jnp.sqrt(self.l2) * _weights(state.params)
        return jnp.concatenate([residuals.ravel(), penalties])


def _clean(batch: Batch) -> dict[str, Any]:
    """The batch with masked inputs that cannot spoil a gradient."""
    return {**batch, "inputs": masking.clean_inputs(batch["inputs"], batch.get("mask"))}


def _weights(params: Any) -> jax.Array:
    """Every weight of a model, in one vector."""
    leaves = jax.tree.leaves_with_path(params)
    return jnp.concatenate([leaf.ravel() for path, leaf in leaves if parameters.is_weight(path)])
