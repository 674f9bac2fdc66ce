"""How many trials to train at once: one, or as many as memory holds, whichever is faster.

Whether ``vmap`` is faster depends on the model and the device: on a CPU, the matrix products of
small networks gain from it, and those of large networks do not. Therefore both are measured.
"""

import functools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from nnjax import parameters
from nnjax.distributed import devices
from nnjax.sweeps.plan.tracing import Lifted, numbers
from nnjax.sweeps.population.group import Group, Groups
from nnjax.training.experiment import Experiment

MOST = 64
"""Largest number of trials trained at once, unless ``members`` says otherwise."""

SHARE_OF_MEMORY = 0.7
"""Share of the free memory that a group may take."""

SECONDS = 0.5
"""How long each number of trials is timed."""

SAVING_SECONDS = 0.15
"""Time for the directory of a trial, its last checkpoint and its summary."""


class Layout(NamedTuple):
    """How the trials of a program are trained.

    Attributes:
      members: how many at once.
      seconds_per_update: the share of one trial in the time of an update of the group.
      evaluation_seconds: the same for each example of an evaluation.
      compile_seconds: time to compile the group.
    """

    members: int
    seconds_per_update: float
    evaluation_seconds: float
    compile_seconds: float


def choose(groups: Groups, experiments: Sequence[Experiment]) -> Layout:
    """The faster layout of two that it times: trials one by one, and all at once."""
    sizes = dict.fromkeys((1, len(experiments)))
    measured = [measure(groups, experiments[:size]) for size in sizes]
    return min(measured, key=lambda layout: trial_seconds(layout, groups))


def trial_seconds(layout: Layout, groups: Groups) -> float:
    """The share of one trial in the time of its group, if nothing stops the trial early."""
    training, data = groups.training, groups.data
    examples = data.size("train")
    steps = training.steps_to_make(examples)
    evaluations = -(-steps // training.evaluation_steps(examples))
    shown = "validation" if data.size("validation") else "test"
    evaluated = evaluations * data.size(shown) + data.size("test")
    if training.evaluate_train:
        evaluated += examples
    updates = steps * layout.seconds_per_update
    return updates + evaluated * layout.evaluation_seconds + SAVING_SECONDS


def measure(groups: Groups, experiments: Sequence[Experiment]) -> Layout:
    """Times some updates and an evaluation of trials at once, each with batches of its own seed."""
    data = groups.data
    began = time.perf_counter()
    group = groups.at_least(len(experiments))
    for slot in range(group.size):
        experiment = experiments[slot % len(experiments)]
        values = numbers(experiment, groups.lifted.paths)
        carry = group.initial(values, experiment.training.seed)
        group.put(slot, values, experiment.training, carry, carry.state)
    split = next(name for name in ("validation", "test", "train") if data.size(name))
    group.run(1)
    group.evaluate(split)
    compiled = time.perf_counter() - began
    evaluation = _seconds(lambda: group.evaluate(split)) / data.size(split)
    update = _seconds_per_update(group)
    return Layout(group.size, update / group.size, evaluation / group.size, compiled)


def fits_memory(lifted: Lifted, mesh: Mesh) -> int:
    """How many trials memory holds; at least one."""
    return max(1, int(SHARE_OF_MEMORY * devices.free_memory(mesh) // max(member_bytes(lifted), 1)))


def member_bytes(lifted: Lifted) -> int:
    """Memory of one trial in bytes: state, copies of the state, gradients and activations."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    learner = lifted.learner({})
    example = lifted.example()
    state = jax.eval_shape(learner.init, key, example)
    analysis = jax.jit(learner.step).lower(state, example).compile().memory_analysis()
    # The state, the best state, and copies of both while a checkpoint is written.
    return 4 * parameters.size_in_bytes(state) + getattr(analysis, "temp_size_in_bytes", 0)


def _seconds_per_update(group: Group) -> float:
    count = 1
    while (seconds := _seconds(functools.partial(group.run, count))) < SECONDS / 4:
        count = max(2 * count, int(count * SECONDS / 2 / max(seconds, 1e-6)))
    return min(seconds, _seconds(lambda: group.run(count))) / count


def _seconds(action: Any) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
