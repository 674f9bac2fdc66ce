"""Learning-rate schedules: a factor on the learning rate as a function of the update.

A schedule is a frozen dataclass that is called with the number of updates made so far, an int32
scalar, and returns the dimensionless float32 factor for the next update. The factors in its fields
may be traced arrays; lengths and boundaries may not. After its end a schedule keeps its last value,
except ``Exponential``, which has no end.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from nnjax.calls import check_is_complete, function_name, missing_arguments
from nnjax.errors import UserError
from nnjax.traced import check_number


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """A linear warm-up to 1, then the shape of the subclass over the rest of the run.

    During a warm-up of n updates the factor is (t + 1) / (n + 1), never zero, and 1 at t = n.

    Attributes:
      steps: updates from the beginning to the end of the schedule; None for the whole run.
      warmup_steps: updates of the warm-up.
      warmup_fraction: the warm-up as a fraction of ``steps``, where ``warmup_steps`` is 0.

    Example:
      >>> import dataclasses
      >>> from nnjax.schedules import Schedule
      >>> @dataclasses.dataclass(frozen=True, kw_only=True)
      ... class InverseRoot(Schedule):
      ...     def after_warmup(self, step):
      ...         return (step + 1) ** -0.5
      >>> float(InverseRoot()(3))
      0.5
    """

    steps: int | None = None
    warmup_steps: int = 0
    warmup_fraction: float = 0.0

    def __post_init__(self):
        if self.steps is not None and self.steps < 1:
            raise UserError(f"a schedule needs at least 1 step, not {self.steps}")
        if self.warmup_steps < 0:
            raise UserError(f"the warm-up cannot last {self.warmup_steps} steps; give 0 or more")
        if not 0 <= self.warmup_fraction < 1:
            raise UserError(f"the warm-up fraction must be in [0, 1), not {self.warmup_fraction}")
        if self.warmup_steps and self.warmup_fraction:
            raise UserError("give the warm-up as steps or as a fraction, not both")

    def __call__(self, step: ArrayLike) -> jax.Array:
        """The factor of the update after ``step`` updates; of the shape of ``step``.

        Raises:
          UserError: the length is that of the whole run, which is not known yet.
        """
        step = jnp.asarray(step)
        warmup = self.resolved_warmup()
        if not warmup:
            return self.after_warmup(step)
        ramp = optax.linear_schedule(1 / (warmup + 1), 1.0, warmup)
        return jnp.where(step < warmup, ramp(step), self.after_warmup(step - warmup))

    def for_run(self, total_steps: int) -> Self:
        """Returns this schedule with the length ``total_steps``, unless it has its own length."""
        return self if self.steps is not None else dataclasses.replace(self, steps=total_steps)

    def varies(self) -> bool:
        """Whether the factor is ever different from 1."""
        return True

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        raise NotImplementedError

    def resolved_steps(self) -> int:
        """The length of the schedule, in updates."""
        if self.steps is None:
            raise UserError(
                f"the schedule {type(self).__name__} lasts the whole run, whose length is unknown "
                "here; give it steps"
            )
        return self.steps

    def resolved_warmup(self) -> int:
        """The length of the warm-up, in updates."""
        if not self.warmup_fraction:
            return self.warmup_steps
        return round(self.warmup_fraction * self.resolved_steps())

    def steps_after_warmup(self) -> int:
        """The length of the schedule after the warm-up, in updates; at least 1."""
        return max(1, self.resolved_steps() - self.resolved_warmup())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """1 after the warm-up.

    Example:
      >>> from nnjax.schedules import Constant
      >>> float(Constant(warmup_steps=3)(0))
      0.25
    """

    def varies(self) -> bool:
        """Whether there is a warm-up."""
        return bool(self.warmup_steps or self.warmup_fraction)

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        return jnp.ones_like(step, jnp.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """Multiplied by ``factor`` at each boundary; PyTorch's ``MultiStepLR``.

    Attributes:
      boundaries: fractions of ``steps``, warm-up included; (0.5, 0.75) is that of He et al. (2015).
      factor: on the learning rate at each boundary.

    Example:
      >>> from nnjax.schedules import Step
      >>> [round(float(Step(steps=4, boundaries=(0.5,))(t)), 3) for t in range(4)]
      [1.0, 1.0, 0.1, 0.1]
    """

    boundaries: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        check_number("factor of a step schedule", self.factor, at_least=0)
        for boundary in self.boundaries:
            if not 0 <= boundary <= 1:
                raise UserError(
                    f"boundaries are fractions of the schedule, from 0 to 1, not {boundary}"
                )

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        warmup, steps = self.resolved_warmup(), self.resolved_steps()
        passed = [step + warmup >= round(boundary * steps) for boundary in self.boundaries]
        return jnp.power(self.factor, sum(passed, jnp.zeros(jnp.shape(step), jnp.float32)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """rate^(t / every).

    Attributes:
      rate: the factor that ``every`` updates bring.
      every: updates; 1 is PyTorch's ``ExponentialLR``.
      staircase: t / every rounded down; PyTorch's ``StepLR``.

    Example:
      >>> from nnjax.schedules import Exponential
      >>> [float(Exponential(rate=0.5)(t)) for t in range(3)]
      [1.0, 0.5, 0.25]
    """

    rate: float = 0.96
    every: int = 1
    staircase: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_number("rate of an exponential schedule", self.rate, at_least=0)
        check_number("number of updates 'every'", self.every, at_least=1)

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        # Not `optax.exponential_decay`: it compares the rate with 0, and the rate may be traced.
        exponent = step // self.every if self.staircase else step / self.every
        return jnp.power(self.rate, jnp.asarray(exponent, jnp.float32))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """From 1 to ``end_factor`` on a straight line.

    Attributes:
      end_factor: the factor at the end.

    Example:
      >>> from nnjax.schedules import Linear
      >>> [float(Linear(steps=4)(t)) for t in range(5)]
      [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    end_factor: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_number("end factor", self.end_factor, at_least=0)

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        line = optax.linear_schedule(1.0, self.end_factor, self.steps_after_warmup())
        return jnp.asarray(line(step))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """From 1 to ``end_factor`` along half a cosine (Loshchilov and Hutter 2017), no restarts.

    e + (1 - e) (1 + cos(pi t / steps)) / 2; PyTorch's ``CosineAnnealingLR``.

    Attributes:
      end_factor: e, the factor at the end.

    Example:
      >>> from nnjax.schedules import Cosine
      >>> [round(float(Cosine(steps=2)(t)), 3) for t in range(3)]
      [1.0, 0.5, 0.0]
    """

    end_factor: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_number("end factor", self.end_factor, at_least=0)

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        decay = optax.cosine_decay_schedule(1.0, self.steps_after_warmup(), self.end_factor)
        return jnp.asarray(decay(step))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """From 1 / ``start_divisor`` up to 1, and down to almost nothing (Smith and Topin 2019).

    Both ways along half a cosine, like PyTorch's ``OneCycleLR``, which reaches peak and end one
    update earlier; the momentum stays as it is.

    Attributes:
      rise: fraction of the schedule spent going up.
      start_divisor: the factor begins at 1 / start_divisor.
      end_divisor: the factor is 1 / (start_divisor * end_divisor) after the last update.

    Example:
      >>> from nnjax.schedules import OneCycle
      >>> [round(float(OneCycle(steps=10)(t)), 2) for t in (0, 3, 9)]
      [0.04, 1.0, 0.05]
    """

    rise: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def __post_init__(self):
        super().__post_init__()
        check_number("rise of a cycle", self.rise, at_least=0, below=1)
        check_number("start divisor", self.start_divisor, above=0)
        check_number("end divisor", self.end_divisor, above=0)

    def after_warmup(self, step: jax.Array) -> jax.Array:
        """The factor ``step`` updates after the end of the warm-up."""
        # Not `optax.cosine_onecycle_schedule`, which divides by zero in a cycle of few steps.
        steps = self.steps_after_warmup()
        up = max(1, int(self.rise * steps))
        start, end = 1 / self.start_divisor, 1 / (self.start_divisor * self.end_divisor)
        rising = optax.cosine_decay_schedule(start, up, alpha=self.start_divisor)
        falling = optax.cosine_decay_schedule(1.0, max(1, steps - up), alpha=end)
        return jnp.asarray(optax.join_schedules([rising, falling], [up])(step))


def as_schedule(what: str, function: Callable) -> Callable[[Any], Any]:
    """Returns a function of the number of updates; one that makes such a function is called.

    Args:
      what: names the function's role in messages.
      function: of the number of updates, or without arguments, such as
        ``functools.partial(optax.cosine_decay_schedule, init_value=0.1, decay_steps=100)``.

    Raises:
      UserError: the function needs more arguments than the number of updates.

    Example:
      >>> import functools, optax
      >>> from nnjax.schedules import as_schedule
      >>> make = functools.partial(optax.linear_schedule, 1.0, 0.0, transition_steps=4)
      >>> float(as_schedule("schedule", make)(1))
      0.75
    """
    if isinstance(function, Schedule) or len(missing_arguments(function)) == 1:
        return function
    check_is_complete(what, function)
    made = function()
    if not callable(made):
        raise UserError(
            f"the {what} {function_name(function)} takes no number of updates; give a function of "
            "one argument, such as lambda step: 0.99**step"
        )
    return made


NAMES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "linear": Linear,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
"""The schedules by the names used in the field."""
