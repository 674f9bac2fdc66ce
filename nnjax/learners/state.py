"""Everything that training changes, in one pytree."""

from typing import Any

import flax.struct
import jax


@flax.struct.dataclass
class State:
    """The state of a learner.

    There is no other state: the same state and the same batches give the same run.

    Attributes:
      step: int32 (), updates made so far.
      params: the trained parameters.
      model_state: what the model itself updates, such as batch statistics; an empty dict for most.
      optimizer_state: the optimizer's moments, counters and averages.
      key: typed PRNG key; step t draws from ``fold_in(key, t)``.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from nnjax.learners import State
      >>> state = State(jnp.zeros((), jnp.int32), {"w": jnp.ones(2)}, {}, (), jax.random.key(0))
      >>> int(state.replace(step=state.step + 1).step)
      1
    """

    step: jax.Array
    params: Any
    model_state: Any
    optimizer_state: Any
    key: jax.Array
