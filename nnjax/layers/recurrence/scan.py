"""The scan of a recurrent cell over all time steps."""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.layers.cells import Carry, Cell, Weights
from nnjax.layers.cells.weights import is_ids
from nnjax.layers.recurrence.gated_scan import LoopOptions, gated_scan

MOST_ONE_HOT = 128
"""The largest vocabulary whose ids are expanded to one-hot vectors.

Up to this size, the products with one-hot vectors, forwards and for the gradient, are faster than
taking rows and adding up their gradients one by one.
"""


def scan(
    cell: Cell,
    weights: Weights,
    x: jax.Array,
    carry: Carry,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    state_mask: jax.Array | None = None,
    remat: bool = False,
    unroll: int = 1,
) -> tuple[jax.Array, Carry]:
    """Runs a cell over all time steps.

    Args:
      cell: only its pure methods are called: ``gates``, ``project``, ``advance`` and ``output``.
      weights: the parameters of the cell.
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before the first step.
      lengths: int (batch,): from there on a sequence keeps its state and outputs zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.
      state_mask: factors (batch, units) on the state, for ``cell.advance``.
      remat: whether the backward pass recomputes the inside of each step instead of storing it.
      unroll: time steps in one iteration of the compiled loop.

    Returns:
      Outputs (time, features, batch), and the state after each sequence's last step.
    """
    gates = cell.gates()
    # A single step, as in generation, gains nothing from another layout and would pay for the
    # transposition.
    if gates is None or remat or len(x) == 1:
        return _scan_any(cell, weights, x, carry, lengths, reverse, state_mask, remat, unroll)
    result: Any = gated_scan(
        gates,
        LoopOptions(reverse, unroll),
        weights,
        _one_hot(x, weights["kernel"]) if is_ids(x) else x,
        _transposed(carry),
        lengths,
        None if state_mask is None else state_mask.T,
    )
    outputs, after = result
    return outputs, _transposed(after)


def _scan_any(cell: Any, weights, x, carry, lengths, reverse, state_mask, remat: bool, unroll: int):
    """Scans any cell by its ``advance``; JAX differentiates it."""
    projected = cell.project(weights, x if is_ids(x) else jnp.swapaxes(x, 1, 2))

    def step(carry, inputs):
        projected, time = inputs
        after = cell.advance(weights, carry, projected, state_mask)
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
    """One-hot vectors (time, words, batch) of ids (time, batch); the ids if the words are many."""
    words = len(kernel)
    if words > MOST_ONE_HOT:
        return ids
    return (ids[:, None] == jnp.arange(words)[:, None]).astype(kernel.dtype)


def _transposed(tree: Carry) -> Carry:
    return jax.tree.map(jnp.transpose, tree)
