"""What every optimizer can do: schedule, clip, decay, accumulate, average, treat groups apart."""

import dataclasses
import math
from typing import Any, Self

import jax
import optax

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.optimizers.average import average_parameters, find_average
from nnjax.optimizers.groups import Group, assign
from nnjax.schedules import Constant, Schedule
from nnjax.traced import check_number, is_plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How parameters w follow the gradient g of the loss.

    The gradients of ``accumulation_steps`` batches are averaged, clipped by value, then by norm;
    the subclass turns them into a direction d; and

        w <- w - learning_rate * schedule(t) * (d + weight_decay * w).

    What is not asked for is not in the compiled program. Numeric fields may be traced arrays, which
    are always asked for; the counts of steps may not.

    Attributes:
      learning_rate: eta, the size of an update.
      schedule: factor on the learning rate, a function of the update.
      weight_decay: decoupled (Loshchilov and Hutter 2019), of weights only: not of biases, nor of
        the scales of normalisations.
      clip_norm: largest Euclidean norm of the gradient of all parameters together.
      clip_value: largest absolute value of an element of the gradient.
      accumulation_steps: batches to an update. The loss of each should be a mean: then k batches
        of n examples make the update of one batch of k n.
      ema_decay: evaluate the exponential moving average of the parameters with this decay, such as
        0.999.
      groups: parameters with a learning rate or weight decay of their own, or frozen. Together they
        cover every parameter.
    """

    learning_rate: float
    schedule: Schedule = dataclasses.field(default_factory=Constant)
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    accumulation_steps: int = 1
    ema_decay: float | None = None
    groups: tuple[Group, ...] = ()

    def __post_init__(self):
        check_number("learning rate", self.learning_rate, at_least=0, below=math.inf)
        check_number("weight decay", self.weight_decay, at_least=0)
        check_number("clip norm", self.clip_norm, above=0)
        check_number("clip value", self.clip_value, above=0)
        check_number("number of accumulation steps", self.accumulation_steps, at_least=1)
        check_number("EMA decay", self.ema_decay, at_least=0, below=1)
        # What subclasses call these means the same in each.
        for name in ("momentum", "decay", "b1", "b2"):
            check_number(name, getattr(self, name, None), at_least=0, below=1)
        check_number("epsilon", getattr(self, "epsilon", None), at_least=0)

    def direction(self) -> optax.GradientTransformation:
        """What the subclass makes of a gradient, to be multiplied by minus the learning rate."""
        raise NotImplementedError

    def rescaling(self) -> optax.GradientTransformation | None:
        """What follows the weight decay and precedes the learning rate; nothing for most."""
        return None

    def build(self, params: Any) -> optax.GradientTransformation:
        """The whole update; ``init`` and ``update`` are pure, and ``update`` wants ``params``.

        Cheap, and to be called inside the traced function, where fields may be traced.

        Args:
          params: the parameters, arrays or their shapes; only names matter, for the groups.

        Raises:
          UserError: the groups do not fit the parameters.
        """
        groups = assign(params, self.groups)
        update = optax.chain(*self._clipping(), self.direction(), *self._step(groups))
        if any(group.frozen for group in self.groups):
            update = optax.partition(
                {False: update, True: optax.set_to_zero()},
                jax.tree.map_with_path(
                    lambda path, _: groups[parameters.name(path)].frozen, params
                ),
            )
        if self.ema_decay is not None:
            update = optax.chain(update, average_parameters(self.ema_decay))
        if self.accumulation_steps > 1:
            update = optax.MultiSteps(update, self.accumulation_steps).gradient_transformation()
        return update

    def for_run(self, total_steps: int) -> Self:
        """This optimizer with its schedule stretched over a run.

        Args:
          total_steps: batches; the schedule counts updates, of ``accumulation_steps`` batches each.

        Raises:
          UserError: the run has too few batches for a single update.
        """
        updates = total_steps // self.accumulation_steps
        if updates < 1:
            raise UserError(
                f"accumulation_steps {self.accumulation_steps} is more than the {total_steps} "
                "batches of the whole run, which would end without an update; give fewer"
            )
        return dataclasses.replace(self, schedule=self.schedule.for_run(updates))

    def evaluation_params(self, params: Any, optimizer_state: Any) -> Any:
        """The parameters to evaluate: their average where there is one, else ``params``."""
        return params if self.ema_decay is None else find_average(optimizer_state)

    def _clipping(self) -> list[optax.GradientTransformation]:
        clipping = []
        if self.clip_value is not None:
            clipping.append(optax.clip(self.clip_value))
        if self.clip_norm is not None:
            clipping.append(optax.clip_by_global_norm(self.clip_norm))
        return clipping

    def _step(self, groups: dict[str, Group]) -> list[optax.GradientTransformation]:
        """From the direction to the update: weight decay, group factors, learning rate."""
        steps = []
        decays = [self.weight_decay, *(group.weight_decay for group in self.groups)]
        if not all(decay is None or is_plain(decay, 0) for decay in decays):
            steps.append(self._decay(groups))
        rescaling = self.rescaling()
        if rescaling is not None:
            steps.append(rescaling)
        if not all(is_plain(group.learning_rate_scale, 1) for group in self.groups):
            steps.append(_group_scales(groups))
        steps.append(optax.scale_by_learning_rate(self._learning_rate()))
        return steps

    def _learning_rate(self):
        """A number or, for a schedule that varies, a function of the update."""
        if not self.schedule.varies():
            return self.learning_rate
        return lambda step: self.learning_rate * self.schedule(step)

    def _decay(self, groups: dict[str, Group]) -> optax.GradientTransformation:
        """Adds weight_decay * w to the direction."""

        def add(path: Any, update: jax.Array, weight: jax.Array) -> jax.Array:
            decay = groups[parameters.name(path)].weight_decay
            if decay is None:
                decay = self.weight_decay if parameters.is_weight(path) else 0.0
            return update if is_plain(decay, 0) else update + decay * weight

        return optax.stateless(lambda updates, params: jax.tree.map_with_path(add, updates, params))


def _group_scales(groups: dict[str, Group]) -> optax.GradientTransformation:
    """Multiplies each direction by its group's factor on the learning rate."""

    def scale(path: Any, update: jax.Array) -> jax.Array:
        return groups[parameters.name(path)].learning_rate_scale * update

    return optax.stateless(lambda updates, _: jax.tree.map_with_path(scale, updates))
