"""Supervised learning by a solver of the second order, on every example at once."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import losses, parameters
from nnjax import metrics as measures
from nnjax.data.dataset import Batch
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.learners.supervised import Supervised, sum_of_squared_weights
from nnjax.metrics import Metric, Metrics
from nnjax.solvers import LBFGS, Solver
from nnjax.traced import check_number, is_plain


@dataclasses.dataclass(frozen=True)
class FullBatch:
    """Fits a model to targets: one iteration of a solver on the mean loss of all examples.

    ``step`` wants the same batch every time, the whole training split. The model runs as in
    evaluation, without dropout, for a solver needs a function that does not change.

    Attributes:
      model: a Flax module called as ``model(inputs, train=False)``.
      loss: what is minimised, averaged over the examples.
      solver: how parameters approach the minimum.
      metrics: what is measured beside the loss.
      l2: lambda of the penalty (lambda / 2) sum w^2 on weights only.
      label_smoothing: epsilon in [0, 1), for the cross-entropies.
      reduction: "mean" or "sum" of the loss over the examples.

    Raises:
      UserError: the solver wants a squared cost and the loss is none.
    """

    model: nn.Module
    loss: losses.Loss = "categorical_cross_entropy"
    solver: Solver = dataclasses.field(default_factory=LBFGS)
    metrics: tuple[Metric, ...] = ("accuracy",)
    l2: float = 0.0
    label_smoothing: float = 0.0
    reduction: losses.Reduction = "mean"

    def __post_init__(self):
        check_number("penalty l2", self.l2, at_least=0)
        losses.check_smoothing(self.loss, self.label_smoothing)
        if self.solver.least_squares and self.loss not in losses.SQUARED:
            raise UserError(
                f"{type(self.solver).__name__} needs a squared cost, not '{self.loss}'; choose one "
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

    def predict(self, state: State, inputs: jax.Array) -> jax.Array:
        """Probabilities (or values, for a regression) of shape (batch, outputs)."""
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
        loss = self.evaluate(state, batch)["loss"]
        value = loss.total / loss.count if self.reduction == "mean" else loss.total
        if is_plain(self.l2, 0):
            return value
        return value + 0.5 * self.l2 * sum_of_squared_weights(state.params)

    def _residuals(self, state: State, batch: Batch) -> jax.Array:
        """The vector r with 1/2 sum r^2 equal to ``_loss``: scaled errors, then scaled weights."""
        outputs = self.outputs(state, batch["inputs"])
        errors = outputs - losses.as_vectors(batch["targets"], outputs)
        ones = jnp.ones(errors.shape[:-1])
        counted = measures.counted(ones, batch["targets"], batch.get("mask"))
        weights = (ones if counted is None else counted)[..., None]
        scale = 1.0 if self.loss == "quadratic" else 2 / outputs.shape[-1]
        if self.reduction == "mean":
            scale = scale / jnp.sum(weights)
        residuals = jnp.where(weights > 0, errors, 0.0) * jnp.sqrt(scale * weights)
        if is_plain(self.l2, 0):
            return residuals.ravel()
        penalties = jnp.sqrt(self.l2) * _weights(state.params)
        return jnp.concatenate([residuals.ravel(), penalties])


def _weights(params: Any) -> jax.Array:
    """Every weight of a model, in one vector."""
    leaves = jax.tree.leaves_with_path(params)
    return jnp.concatenate([leaf.ravel() for path, leaf in leaves if parameters.is_weight(path)])
