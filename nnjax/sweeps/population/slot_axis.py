"""The leading axis of a group's arrays: one entry for each slot."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


def add(tree: Any) -> Any:
    """The arrays of one slot as those of a group that has only this slot."""
    return jax.tree.map(lambda leaf: leaf[None], tree)


def drop(tree: Any) -> Any:
    """The arrays of the only slot of a group."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def insert(tree: Any, slot: int, one: Any) -> Any:
    """The arrays of a group with those of one slot replaced."""
    return jax.tree.map(lambda leaf, new: leaf.at[slot].set(new), tree, one)


def choose(mask: jax.Array, one: Any, other: Any) -> Any:
    """The arrays of ``one`` in the slots where the mask is true, those of ``other`` elsewhere.

    Args:
      mask: bool (slots,).
      one: arrays of (slots, ...).
      other: arrays of the same shapes.
    """

    def pick(left: jax.Array, right: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *(1,) * (left.ndim - 1)), left, right)

    return jax.tree.map(pick, one, other)


def metrics_of_each(totals: Mapping[str, Any], size: int) -> list[dict[str, float]]:
    """The metrics of each slot as numbers by name.

    Args:
      totals: metrics with a value for each slot.
      size: the number of slots.
    """
    fetched = jax.device_get(dict(totals))

    def one(slot: int) -> dict[str, float]:
        own = jax.tree.map(lambda leaf: leaf[slot], fetched)
        return {name: metric.value() for name, metric in own.items()}

    return [one(slot) for slot in range(size)]
