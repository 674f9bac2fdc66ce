"""A recurrent cell over all time steps."""

from typing import Any

import jax
import jax.numpy as jnp

from nnjax.layers.cells import Carry, Cell, Weights
from nnjax.layers.gated_scan import Order, gated_scan

MOST_ONE_HOT = 512
"""Words up to which ids become one-hot vectors: their product is one of two matrices, forwards and
for the gradient, where rows taken and added up come one by one."""


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
      x: (inputs, time, batch), or int ids (time, batch).
      carry: the state before.
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.
      kept: factors (batch, units) on the state, as ``cell.advance`` takes them.
      remat: whether to compute the inside of a step again for the gradient instead of keeping it.
      unroll: steps in one turn of the compiled loop.

    Returns:
      Outputs (features, time, batch), and the state after each sequence's last step.
    """
    gates = cell.gates()
    if gates is None or remat:
        return _scan_any(cell, weights, x, carry, lengths, reverse, kept, remat, unroll)
    result: Any = gated_scan(
        gates,
        Order(reverse, unroll),
        weights["recurrent_kernel"],
        weights.get("recurrent_bias"),
        _projected(weights, x),
        _transposed(carry),
        lengths,
        None if kept is None else kept.T,
    )
    outputs, after = result
    return outputs, _transposed(after)


def _scan_any(cell: Any, weights, x, carry, lengths, reverse, kept, remat: bool, unroll: int):
    """Any cell, by its own equations; the gradient is left to JAX."""
    ids = jnp.issubdtype(x.dtype, jnp.integer)
    projected = cell.project(weights, x if ids else jnp.moveaxis(x, 0, -1))

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
    times = jnp.arange(x.shape[-2])
    carry, outputs = jax.lax.scan(step, carry, (projected, times), reverse=reverse, unroll=unroll)
    return jnp.moveaxis(outputs, -1, 0), carry


def _projected(weights: Weights, x: jax.Array) -> jax.Array:
    """Returns x W + b as (gates * units, time, batch), by one product for all time steps."""
    kernel = weights["kernel"]
    if jnp.issubdtype(x.dtype, jnp.integer):
        y = _taken(kernel, x)
    else:
        y = jnp.tensordot(kernel, x, axes=(0, 0))
    return y + weights["bias"][:, None, None] if "bias" in weights else y


def _taken(kernel: jax.Array, ids: jax.Array) -> jax.Array:
    """What one-hot vectors times the kernel would be; zeros for ids that are none of its rows."""
    words = kernel.shape[0]
    if words <= MOST_ONE_HOT:
        one_hot = jnp.arange(words)[:, None, None] == ids
        return jnp.tensordot(kernel, one_hot.astype(kernel.dtype), axes=(0, 0))
    # Negative numbers would count from the end; past the end is what "fill" fills.
    places = jnp.where(ids < 0, words, ids)
    return jnp.moveaxis(kernel.at[places].get(mode="fill", fill_value=0), -1, 0)


def _transposed(tree: Carry) -> Carry:
    return jax.tree.map(jnp.transpose, tree)
