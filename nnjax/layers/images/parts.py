"""Splits a batch into parts that pass through the convolutions of a network separately.

This is faster on a CPU: the intermediate results of a part stay in the caches, and since the parts
are independent of each other, several cores work at once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

MULTIPLE = 64
"""The size of a part is a multiple of this: 256 bytes fill vector registers and cache lines."""

MOST_PARTS = 8
"""The largest number of parts. More are slow to compile and run no faster."""


def in_parts(
    f: Callable[[jax.Array], jax.Array], g: Callable[[jax.Array], jax.Array], x: jax.Array
) -> jax.Array:
    """Returns ``g(f(x))``, applying ``f`` to one part of the batch at a time.

    Args:
      f: maps (batch, ...) to (batch, features), each example independently.
      g: maps (batch, features) to (batch, outputs), each example independently.
      x: (batch, ...). It is split only if it divides into equal parts of a suitable size.

    Returns:
      (batch, outputs).
    """
    parts = count_parts(x.shape[0])
    if parts == 1:
        return g(f(x))
    # A part takes every n-th example, so that if the batch is sharded over devices, each part is
    # sharded evenly too.
    rows = x.reshape(-1, parts, *x.shape[1:])
    # With the batch last, the layout of convolutions and dense layers, nothing is transposed.
    features = jnp.concatenate([f(rows[:, part]).T for part in range(parts)], axis=1).T
    # The features are in the order of parts. Reordering the outputs, which are fewer, is cheaper.
    outputs = g(features)
    return outputs.reshape(parts, len(rows), -1).swapaxes(0, 1).reshape(outputs.shape)


def count_parts(batch: Any) -> int:
    """The number of parts of a batch of that size; 1 for a symbolic size, as in an export."""
    if not isinstance(batch, int):
        return 1
    possible = (parts for parts in range(MOST_PARTS, 1, -1) if batch % (parts * MULTIPLE) == 0)
    return next(possible, 1)
