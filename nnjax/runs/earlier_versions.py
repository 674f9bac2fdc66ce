"""Checkpoints of earlier versions, read as if the present one had saved them.

Version 0.1.0 accumulated gradients with ``optax.MultiSteps``, as a mean over batches. Now they are
summed over examples (see :mod:`nnjax.optimizers.accumulation`), which the mean does not tell. What
waited for an update when the checkpoint was saved, of fewer batches than make one, is left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnjax.runs.array_tree import Arrays

Path = tuple[str, ...]

RENAMED = {
    "mini_step": "batches",
    "gradient_step": "seen",
    "acc_grads": "total",
    "inner_opt_state": "inner",
}
"""The fields of ``optax.MultiStepsState``, and those of ``AccumulationState`` in their place."""

COUNT = {"is": "float32[]", "key_impl": None, "stored_shape": (), "stored_dtype": "float32"}
"""The field that ``optax.MultiStepsState`` does not have."""


def upgraded(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a tree with the names of today, for the check that it is the wanted tree.

    Args:
      description: as :func:`nnjax.runs.array_tree.describe` wrote it.

    Example:
      >>> from nnjax.runs.earlier_versions import upgraded
      >>> saved = {"state/acc_grads/bias": "float32[4]", "state/mini_step": "int32[]"}
      >>> sorted(upgraded(saved))
      ['state/batches', 'state/count', 'state/total/bias']
    """
    paths = {name: tuple(name.split("/")) for name in description}
    found = {"/".join(_renamed(path)): description[name] for name, path in paths.items()}
    return found | {"/".join((*holder, "count")): COUNT for holder in _holders(paths.values())}


def upgraded_arrays(arrays: Arrays, step: int) -> Arrays:
    """The arrays by their paths of today.

    Args:
      arrays: by the paths that they were saved with.
      step: of the checkpoint: the number of batches since the beginning of the run.
    """
    found = {_renamed(path): array for path, array in arrays.items()}
    for holder in _holders(arrays):
        fresh = {"batches": np.int32(0), "seen": np.int32(step), "count": np.float32(0)}
        found |= {(*holder, name): np.asarray(value) for name, value in fresh.items()}
        waiting = (*holder, "total")
        found |= {
            path: np.zeros_like(array)
            for path, array in found.items()
            if path[: len(waiting)] == waiting
        }
    return found


def _renamed(path: Path) -> Path:
    return tuple(RENAMED.get(part, part) for part in path)


def _holders(paths: Any) -> set[Path]:
    """The paths of the states of ``optax.MultiSteps``."""
    return {path[:-1] for path in paths if path[-1] == "mini_step"}
