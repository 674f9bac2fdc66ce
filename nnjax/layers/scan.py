"""A recurrent cell over all time steps."""

import jax
import jax.numpy as jnp

from nnjax.layers.cells import Carry, Cell, Weights
from nnjax.layers.gated_scan import Order, gated_scan


def scan(
    cell: Cell,
    weights: Weights,
    projected: jax.Array,
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
      cell: of which the pure functions ``advance`` and ``output`` are used.
      weights: of the cell.
      projected: (time, batch, ...), from ``cell.project``.
      carry: the state before.
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      reverse: whether to start at the end; with ``lengths``, at the end of each sequence.
      kept: factors (batch, units) on the state, as ``cell.advance`` takes them.
      remat: whether to compute the inside of a step again for the gradient instead of keeping it.
      unroll: steps in one turn of the compiled loop.

    Returns:
      Outputs (time, batch, features), and the state after each sequence's last step.
    """
    gates = cell.gates()
    if gates is not None and not remat:
        kernel, bias = weights["recurrent_kernel"], weights.get("recurrent_bias")
        order = Order(reverse, unroll)
        return gated_scan(gates, order, kernel, bias, projected, carry, lengths, kept)

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
    times = jnp.arange(projected.shape[0])
    carry, outputs = jax.lax.scan(step, carry, (projected, times), reverse=reverse, unroll=unroll)
    return outputs, carry
