"""What all optimizers share: schedules, clipping, decay, accumulation, averages, groups."""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import jax
import optax

from nnjax import parameters
from nnjax.calls import check_is_complete
from nnjax.errors import UserError
from nnjax.optimizers.accumulation import accumulate
from nnjax.optimizers.average import average_parameters, find_average
from nnjax.optimizers.groups import Group, assign
from nnjax.schedules import Constant, Schedule, as_schedule
from nnjax.traced import check_number, is_plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How parameters w follow the gradient g of the loss.

    The gradients of ``accumulation_steps`` batches are averaged, clipped by value, then by norm;
    the subclass turns them into a direction d; and

        w <- w - learning_rate * schedule(t) * (d + weight_decay * w).

    An option that is off is not in the compiled program. Numeric fields may be traced arrays, which
    are never off; counts of steps may not be traced. A subclass overrides :meth:`direction`.

    Attributes:
      learning_rate: eta, the size of an update: a number, or a function from the number of updates
        made so far to it, as Optax's schedules are.
      schedule: factor on the learning rate: one of :mod:`nnjax.schedules`, or a function from the
        number of updates made so far to the factor. Where a function cannot be recorded, such as
        the result of ``optax.cosine_decay_schedule``, ``functools.partial`` of what makes it can.
      weight_decay: decoupled (Loshchilov and Hutter 2019), of weights only: not of biases, nor of
        the scales of normalisations.
      clip_norm: largest Euclidean norm of the gradient of all parameters together.
      clip_value: largest absolute value of an element of the gradient.
      accumulation_steps: batches to an update. The update is that of all examples, or words, of
        these batches taken together, however unequal the batches are; the last batches of a run
        make an update even where they are fewer.
      ema_decay: evaluate the exponential moving average of the parameters with this decay, such as
        0.999.
      groups: parameters with a learning rate or weight decay of their own, or frozen. Together they
        cover every parameter.

    Example:
      >>> import optax
      >>> from nnjax.optimizers import Optimizer
      >>> class SignDescent(Optimizer):
      ...     def direction(self):
      ...         return optax.scale_by_sign()
      >>> SignDescent(learning_rate=0.1, ema_decay=0.99).ema_decay
      0.99
    """

    learning_rate: float | Callable
    schedule: Schedule | Callable = dataclasses.field(default_factory=Constant)
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    accumulation_steps: int = 1
    ema_decay: float | None = None
    groups: tuple[Group, ...] = ()
    batches_in_run: int | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )
    """Batches in the whole run, from :meth:`for_run`; None where they are not known."""

    def __post_init__(self):
        check_number("learning rate", self.learning_rate, at_least=0, below=math.inf)
        if not isinstance(self.schedule, Schedule) and not callable(self.schedule):
            raise UserError(
                "the schedule must be one of nnjax.schedules, such as Cosine(), or a function of "
                f"the number of updates, not {self.schedule!r}"
            )
        check_number("weight decay", self.weight_decay, at_least=0)
        check_number("clip norm", self.clip_norm, above=0)
        check_number("clip value", self.clip_value, above=0)
        check_number("number of accumulation steps", self.accumulation_steps, at_least=1)
        check_number("EMA decay", self.ema_decay, at_least=0, below=1)
        # Subclasses use these names for the same thing.
        for name in ("momentum", "decay", "b1", "b2"):
            check_number(name, getattr(self, name, None), at_least=0, below=1)
        check_number("epsilon", getattr(self, "epsilon", None), at_least=0)

    def direction(self) -> optax.GradientTransformation:
        """Returns the transformation from the gradient to the direction d."""
        raise NotImplementedError

    def rescaling(self) -> optax.GradientTransformation | None:
        """Returns a transformation between weight decay and learning rate; None for most."""
        return None

    def build(self, params: Any) -> optax.GradientTransformationExtraArgs:
        """Returns the whole update; ``init`` and ``update`` are pure; ``update`` needs ``params``.

        Building is cheap: call it inside the traced function, where fields may be traced.

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
            update = accumulate(update, self.accumulation_steps, self.batches_in_run)
        return optax.with_extra_args_support(update)

    def for_run(self, total_steps: int) -> Self:
        """This optimizer for a run of a known length, over which its schedule is stretched.

        Args:
          total_steps: batches; the schedule counts updates, of ``accumulation_steps`` batches each.
        """
        updates = -(-total_steps // self.accumulation_steps)
        fitted = dataclasses.replace(self)
        if isinstance(self.schedule, Schedule):
            fitted = dataclasses.replace(self, schedule=self.schedule.for_run(updates))
        object.__setattr__(fitted, "batches_in_run", total_steps)
        return fitted

    def evaluation_params(self, params: Any, optimizer_state: Any) -> Any:
        """Returns the parameters to evaluate: their average where there is one, else ``params``."""
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
        rate, factor = self.learning_rate, self.schedule
        if callable(rate):
            rate = as_schedule("learning rate", rate)
        if isinstance(factor, Schedule) and not factor.varies():
            return rate
        factor = as_schedule("schedule", factor)
        return lambda step: (rate(step) if callable(rate) else rate) * factor(step)

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


# The command line shows unions of dataclasses and functions, but not of tuples.
if TYPE_CHECKING:
    AnyOptimizer = Optimizer | optax.GradientTransformation | Callable
else:
    AnyOptimizer = Optimizer | Callable
"""An optimizer of :mod:`nnjax.optimizers`, or what :func:`build` makes one of."""


def build(optimizer: AnyOptimizer, params: Any) -> optax.GradientTransformationExtraArgs:
    """Returns the update of an optimizer; ``init`` and ``update`` are pure.

    Args:
      optimizer: one of :mod:`nnjax.optimizers`, a transformation of Optax, or a function that makes
        one without arguments, such as ``functools.partial(optax.adabelief, learning_rate=0.01)``.
      params: the parameters, arrays or their shapes.

    Raises:
      UserError: the optimizer is none of these, or its groups do not fit the parameters.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> from nnjax.optimizers import build
      >>> update = build(optax.sgd(0.5), {"w": jnp.ones(2)})
      >>> update.update({"w": jnp.ones(2)}, update.init({"w": jnp.ones(2)}))[0]
      {'w': Array([-0.5, -0.5], dtype=float32)}
    """
    if isinstance(optimizer, Optimizer):
        return optimizer.build(params)
    made = optimizer
    if callable(made):
        check_is_complete("optimizer", made)
        made = made()
    if isinstance(made, Optimizer):
        return made.build(params)
    if not isinstance(made, optax.GradientTransformation):
        raise UserError(
            f"an optimizer must be one of nnjax.optimizers, such as Adam(), or a transformation of "
            f"Optax, such as optax.adam(0.001), not {made!r}"
        )
    return optax.with_extra_args_support(made)


def evaluation_params(optimizer: AnyOptimizer, params: Any, optimizer_state: Any) -> Any:
    """Returns the parameters to evaluate: their average where the optimizer keeps one.

    Example:
      >>> from nnjax.optimizers import SGD, evaluation_params
      >>> evaluation_params(SGD(), {"w": 1.0}, ())
      {'w': 1.0}
    """
    if isinstance(optimizer, Optimizer):
        return optimizer.evaluation_params(params, optimizer_state)
    return params
