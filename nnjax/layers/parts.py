"""A batch in parts, each of which goes through a network by itself.

For a CPU: what convolutions write for a part stays in the caches, and parts, which do not wait for
one another, keep the cores busy where one operation at a time cannot.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

MULTIPLE = 64
"""Examples in a part, or a multiple: rows of 256 bytes fill vector registers and cache lines."""

MOST_PARTS = 8
"""More take long to compile, and are not faster."""


def in_parts(f: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """``f(x)`` of a function that treats examples alike, a part of the batch at a time.

    Args:
      f: maps (batch, ...) to (batch, ...).
      x: (batch, ...). Cut only where there are equal parts of the right size.
    """
    parts = count(x.shape[0])
    if parts == 1:
        return f(x)
    # Every so many examples, so that a batch spread over devices stays where it is.
    rows = x.reshape(-1, parts, *x.shape[1:])
    y = jnp.stack([f(rows[:, part]) for part in range(parts)], axis=1)
    return y.reshape(-1, *y.shape[2:])


def count(batch: Any) -> int:
    """How many parts a batch is cut into; one of no size yet, in an export, is not cut."""
    if not isinstance(batch, int):
        return 1
    wanted = (parts for parts in range(MOST_PARTS, 1, -1) if batch % (parts * MULTIPLE) == 0)
    return next(wanted, 1)
