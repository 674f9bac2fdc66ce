"""The content of a run's checkpoint, and how a trained learner is read back from one."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from nnjax import parameters
from nnjax.data.dataset import Known
from nnjax.distributed import devices
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.runs import data_json, json_files
from nnjax.runs.checkpoints import Checkpoints
from nnjax.runs.run import CONFIG, Run
from nnjax.training import best, updates
from nnjax.training.experiment import Experiment, fit_to_data
from nnjax.training.options import Training

TIMES = ("seconds", "training_seconds", "compile_seconds")
"""The fields of ``meta`` and of a summary that say how long a run took."""


def initial_carry(learner: Any, data: Known, training: Training, mesh: Mesh) -> updates.Carry:
    """Draws the parameters from ``training.seed``, on every device of the mesh.

    Raises:
      UserError: they take more memory than a device has.
    """
    example = data.example(training.batch(data.size("train")))
    everywhere = devices.replicated(mesh)
    begin = jax.jit(
        lambda key: updates.start(learner, learner.init(key, example), example),
        out_shardings=everywhere,
    )
    key = jax.random.key(training.seed)
    # Without this check the system would end the process without a message.
    needed, memory = parameters.size_in_bytes(begin.eval_shape(key)), devices.memory(mesh)
    if needed > memory:
        raise UserError(
            f"the training state takes {needed / 1e9:,.1f} GB on each device, which has "
            f"{memory / 1e9:,.1f} GB of memory; take a smaller model"
        )
    return begin(key)


def tree(carry: updates.Carry, best_state: State | None) -> dict[str, Any]:
    """Returns the arrays of a checkpoint; ``best`` is empty where no metric is monitored."""
    return {"carry": carry, "best": {} if best_state is None else best_state}


def is_sound(state: State) -> bool:
    """Whether the norm of every array of parameters is finite, so that the state is worth saving.

    A step reports the loss before its update, so an update that diverges is first detected here.
    Parameters whose squares overflow are still finite themselves, but their loss is not.
    Collective: every process must call this.
    """
    # On the host, where nothing is compiled; a checkpoint is copied there anyway.
    leaves = jax.tree.leaves(jax.device_get(devices.local(state.params)))
    numbers = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    with np.errstate(all="ignore"):
        return all(np.isfinite(np.linalg.norm(np.float32(leaf))) for leaf in numbers)


def abstract(arrays: Any) -> Any:
    """Returns shapes, dtypes and shardings of a tree: what to restore, and onto which devices."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), arrays
    )


# Beside the arrays -------------------------------------------------------------------------------


def batches(training: Training, examples: int) -> dict[str, int]:
    """Returns the options that decide which examples a number of updates has seen.

    Args:
      training: the options.
      examples: of the training split.

    Example:
      >>> from nnjax.training import Training
      >>> from nnjax.training.snapshot import batches
      >>> batches(Training(epochs=1, batch_size=8), 100)
      {'batch_size': 8, 'data_seed': 0}
    """
    data_seed = training.seed if training.data_seed is None else training.data_seed
    return {"batch_size": training.batch(examples), "data_seed": data_seed}


def check_resumable(meta: Mapping[str, Any], run: Run, training: Training, examples: int) -> None:
    """Checks that training with these options can go on from a checkpoint.

    With another batch size the number of updates made would mean another number of epochs; with
    another seed of the data order some examples would be seen twice in an epoch, and others never.

    Args:
      meta: of the checkpoint, with the ``batches`` that it was trained with.
      run: whose checkpoint it is; its config has the batch size where ``meta`` has none.
      training: the options to go on with.
      examples: of the training split.

    Raises:
      UserError: the batch size or the seed is another, or ``meta`` is damaged.
    """
    check_meta(meta, run)
    saved = meta.get("batches")
    if saved is None:
        saved = _batches_of_config(run, examples)
    for name, now in batches(training, examples).items():
        if (before := saved.get(name, now)) != now:
            raise UserError(
                f"run {run.directory} was trained with {name} {before}, and cannot go on with "
                f"{name} {now}; give {name} {before}, or train a new run"
            )


def _batches_of_config(run: Run, examples: int) -> dict[str, int]:
    """The batch size in ``config.json``, for a run that version 0.1.0 recorded."""
    training = json_files.read_or_nothing(run.directory / CONFIG).get("training")
    size = training.get("batch_size") if isinstance(training, dict) else None
    return {"batch_size": size or examples} if isinstance(size, int) else {}


def check_meta(meta: Mapping[str, Any], run: Run) -> None:
    """Checks the types in a checkpoint's ``meta``.

    Raises:
      UserError: a field is missing or has another type.
    """
    standing = meta.get("standing")
    is_right = (
        isinstance(standing, dict)
        and standing.keys() == {field.name for field in dataclasses.fields(best.Standing)}
        and _is_number_or_none(standing["best"])
        and (standing["best_step"] is None or type(standing["best_step"]) is int)
        and type(standing["since"]) is int
        and isinstance(meta.get("position"), dict)
        and isinstance(meta.get("batches", {}), dict)
        and all(type(meta.get(name, 0.0)) in (int, float) for name in TIMES)
    )
    if not is_right:
        raise UserError(
            f"the newest checkpoint in {run.checkpoints} was not saved by nnjax: what it holds "
            "beside the arrays has other fields or types; remove it to go on from the one before"
        )


def _is_number_or_none(value: Any) -> bool:
    return value is None or type(value) in (int, float)


# Reading -----------------------------------------------------------------------------------------


def read_trained(
    experiment: Experiment,
    run: Run,
    data: Known,
    on_fallback: Callable[[str], None] = lambda message: None,
) -> tuple[Any, State, int]:
    """Reads the trained state of a run: the best if a metric was monitored, else the newest.

    Args:
      experiment: the run's configuration.
      run: the run directory.
      data: as loaded from the experiment, or its specification.
      on_fallback: called with a sentence when the newest checkpoint is damaged.

    Returns:
      The learner fitted to the data, the state on one device, and the step the state is of.

    Raises:
      UserError: the run has no checkpoint, or was trained on other data.
    """
    if (saved := run.read_data()) is not None:
        data_json.check_same(saved, data, sizes=False)
    training = dataclasses.replace(experiment.training, devices=1)
    learner = fit_to_data(experiment.learner, data, training)
    monitor = best.make_monitor(training.monitor, learner, data)
    carry = initial_carry(learner, data, training, devices.make_mesh(1))
    wanted = abstract(tree(carry, carry.state if monitor else None))
    with Checkpoints(run.checkpoints, keep_last=training.keep_checkpoints) as checkpoints:
        restored = checkpoints.restore(wanted, on_fallback=on_fallback)
    if restored is None:
        raise UserError(f"run {run.directory} has no checkpoint yet")
    step, arrays, meta = restored
    check_meta(meta, run)
    best_step = meta["standing"]["best_step"]
    # Before the first evaluation the "best" state is the one that training began with.
    if best_step is None:
        return learner, arrays["carry"].state, step
    return learner, arrays["best"], best_step
