"""Everything that changes while training, in one pytree."""

from typing import Any

import flax.struct
import jax


@flax.struct.dataclass
class State:
    """The state of a learner.

    Nothing else remembers anything: the same state and the same batches give the same run.

    Attributes:
      step: int32 (), updates made so far.
      params: the trained parameters.
      model_state: what the model itself updates, such as batch statistics; an empty dict for most.
      optimizer_state: the optimizer's moments, counters and averages.
      key: typed PRNG key; step t draws from ``fold_in(key, t)``.
    """

    step: jax.Array
    params: Any
    model_state: Any
    optimizer_state: Any
    key: jax.Array
