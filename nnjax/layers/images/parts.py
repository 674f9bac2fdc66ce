"""A batch in parts, each of which goes through the convolutions of a network by itself.

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


def in_parts(
    f: Callable[[jax.Array], jax.Array], g: Callable[[jax.Array], jax.Array], x: jax.Array
) -> jax.Array:
    """``g(f(x))`` of functions that treat examples alike, ``f`` a part of the batch at a time.

    Args:
      f: maps (batch, ...) to (batch, features).
      g: maps (batch, features) to (batch, outputs).
      x: (batch, ...). Cut only where there are equal parts of the right size.
    """
    parts = count(x.shape[0])
    if parts == 1:
        return g(f(x))
    # Every so many examples, so that each part of a batch spread over devices is spread alike.
    rows = x.reshape(-1, parts, *x.shape[1:])
    # With the batch last, as convolutions leave it and dense layers take it: nothing is transposed.
    features = jnp.concatenate([f(rows[:, part]).T for part in range(parts)], axis=1).T
    # These lie part after part. It is the outputs, which are fewer, that are put in order.
    outputs = g(features)
    return outputs.reshape(parts, len(rows), -1).swapaxes(0, 1).reshape(outputs.shape)


def count(batch: Any) -> int:
    """How many parts a batch is cut into; one of no size yet, in an export, is not cut."""
    if not isinstance(batch, int):
        return 1
    wanted = (parts for parts in range(MOST_PARTS, 1, -1) if batch % (parts * MULTIPLE) == 0)
    return next(wanted, 1)
