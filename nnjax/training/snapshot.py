"""What a checkpoint of a run holds, and how a trained learner is read back from one."""

import dataclasses
from collections.abc import Callable
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
from nnjax.runs import data_json
from nnjax.runs.checkpoints import Checkpoints
from nnjax.runs.run import Run
from nnjax.training import best, updates
from nnjax.training.experiment import Experiment, fit_to_data
from nnjax.training.options import Training


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
    # Asked for more than it has, the system would end the process without a word.
    needed, memory = parameters.size_in_bytes(begin.eval_shape(key)), devices.memory(mesh)
    if needed > memory:
        raise UserError(
            f"the training state takes {needed / 1e9:,.1f} GB on each device, which has "
            f"{memory / 1e9:,.1f} GB of memory; take a smaller model"
        )
    return begin(key)


def tree(carry: updates.Carry, best_state: State | None) -> dict[str, Any]:
    """The arrays of a checkpoint; ``best`` is empty where no metric is monitored."""
    return {"carry": carry, "best": {} if best_state is None else best_state}


def is_sound(state: State) -> bool:
    """Whether a state is worth keeping: its parameters are numbers, with squares that are, too.

    The loss of an update is that before it, so what the newest update did shows only here. Larger
    parameters are still finite, but no loss of theirs is. Of several processes all must call this.
    """
    # On the host, where nothing need be compiled; a checkpoint is copied there anyway.
    leaves = jax.tree.leaves(jax.device_get(devices.local(state.params)))
    numbers = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    with np.errstate(all="ignore"):
        return all(np.isfinite(np.linalg.norm(np.float32(leaf))) for leaf in numbers)


def abstract(arrays: Any) -> Any:
    """Shapes, dtypes and shardings of a tree of arrays: what to restore, and onto which devices."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), arrays
    )


def read_trained(
    experiment: Experiment,
    run: Run,
    data: Known,
    on_fallback: Callable[[str], None] = lambda message: None,
) -> tuple[Any, State, int]:
    """Reads the trained state of a run: the best where a metric was measured, else the newest.

    Args:
      experiment: the run's configuration.
      run: the run directory.
      data: as loaded from the experiment, or its specification.
      on_fallback: told in a sentence when the newest checkpoint is damaged.

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
    best_step = meta["standing"]["best_step"]
    # Before the first evaluation the "best" state is the one that training began with.
    if best_step is None:
        return learner, arrays["carry"].state, step
    return learner, arrays["best"], best_step
