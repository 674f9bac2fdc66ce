"""Directions through time, and how the outputs of two are made one."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from nnjax.errors import choose

Direction = Literal["forward", "backward", "bidirectional"]
Merge = Literal["concatenate", "sum", "mean", "product"]

_WAYS: dict[str, tuple[str, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "bidirectional": ("forward", "backward"),
}

_MERGES: dict[str, Callable[[list[jax.Array], int], jax.Array]] = {
    "concatenate": jnp.concatenate,
    "sum": lambda outputs, axis: outputs[0] + outputs[1],
    "mean": lambda outputs, axis: (outputs[0] + outputs[1]) / 2,
    "product": lambda outputs, axis: outputs[0] * outputs[1],
}


def directions(direction: Direction) -> tuple[str, ...]:
    """The ways through time, "forward" before "backward".

    Raises:
      UserError: the direction is unknown.
    """
    return choose("direction", direction, _WAYS)


def merging(merge: Merge) -> Callable[[list[jax.Array], int], jax.Array]:
    """The function from each direction's outputs and their axis of features to one; of one, itself.

    Raises:
      UserError: the merge mode is unknown.
    """
    function = choose("merge mode", merge, _MERGES)
    return lambda outputs, axis: function(outputs, axis) if len(outputs) > 1 else outputs[0]
