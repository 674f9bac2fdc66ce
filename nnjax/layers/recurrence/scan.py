"""A recurrent cell over all time steps."""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.layers.cells import Carry, Cell, Weights
from nnjax.layers.cells.weights import is_ids
from nnjax.layers.recurrence.gated_scan import Order, gated_scan

MOST_ONE_HOT = 128
"""Words up to which ids become one-hot vectors: their products, forwards and for the gradient, then
take less than rows that are taken and added up one by one."""


def scan(
    cell: Cell,
    weights: Weights,
    x: jax.Array,
    carry: Carry,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    kept: jax.Array | None = None,
    remat: bool = False,
    unroll: int = 1,
) -> tuple[jax.Array, Carry]:
    """Advances a cell through time.

    Args:
      cell: of which the pure functions ``gates``, ``project``, ``advance`` and ``output`` are used.
      weights: of the cell.
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before.
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.
      kept: factors (batch, units) on the state, as ``cell.advance`` takes them.
      remat: whether to compute the inside of a step again for the gradient instead of keeping it.
      unroll: steps in one turn of the compiled loop.

    Returns:
      Outputs (time, features, batch), and the state after each sequence's last step.
    """
    gates = cell.gates()
    # A single step, as in generation, gains nothing from other layouts, and would wait for them.
    if gates is None or remat or len(x) == 1:
        return _scan_any(cell, weights, x, carry, lengths, reverse, kept, remat, unroll)
    result: Any = gated_scan(
        gates,
        Order(reverse, unroll),
        weights,
        _one_hot(x, weights["kernel"]) if is_ids(x) else x,
        _transposed(carry),
        lengths,
        None if kept is None else kept.T,
    )
    outputs, after = result
    return outputs, _transposed(after)


def _scan_any(cell: Any, weights, x, carry, lengths, reverse, kept, remat: bool, unroll: int):
    """Any cell, by its own equations; the gradient is left to JAX."""
    projected = cell.project(weights, x if is_ids(x) else jnp.swapaxes(x, 1, 2))

    def step(carry, inputs):
        projected, time = inputs
        after = cell.advance(weights, carry, projected, kept)
        if lengths is None:
            return after, cell.output(after)
        inside = (time < lengths)[:, None]
        after = jax.tree.map(lambda new, old: jnp.where(inside, new, old), after, carry)
        return after, jnp.where(inside, cell.output(after), 0)

    if remat:
        step = jax.checkpoint(step)
    times = jnp.arange(len(x))
    carry, outputs = jax.lax.scan(step, carry, (projected, times), reverse=reverse, unroll=unroll)
    return jnp.swapaxes(outputs, 1, 2), carry


def _one_hot(ids: jax.Array, kernel: jax.Array) -> jax.Array:
    """Vectors (time, words, batch) for ids (time, batch), which stay ids where words are many."""
    words = len(kernel)
    if words > MOST_ONE_HOT:
        return ids
    return (ids[:, None] == jnp.arange(words)[:, None]).astype(kernel.dtype)


def _transposed(tree: Carry) -> Carry:
    return jax.tree.map(jnp.transpose, tree)
