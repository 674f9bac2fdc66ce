"""A cell with one product a step over all time steps, its gradient written by hand.

Arrays lie as (time, units, batch). So what a step reads is in one piece, gates are whole rows, and
the products within the loop, of the transposed kernel with (units, batch), are up to twice as fast
on a CPU as those of (batch, units) with the kernel.

The input's product is made within the loop too: written for all time steps at once, it would go
out to memory and come back. Going back through time, a loop needs the product of each step's
cotangent with the recurrent kernel; the other gradients do not depend on the order, so each is one
product afterwards, for which the cotangents of gates lie as (units, time, batch).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nnjax.layers.cells.cell import Carry, Weights
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.weights import is_ids
from nnjax.layers.recurrence import products


class Order(NamedTuple):
    """How the compiled loop goes through time."""

    reverse: bool
    unroll: int


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def gated_scan(
    gates: Gates,
    order: Order,
    weights: Weights,
    x: jax.Array,
    carry: Carry,
    lengths: jax.Array | None,
    kept: jax.Array | None,
) -> tuple[jax.Array, Carry]:
    """Advances a cell through time.

    Args:
      gates: the step but for its products.
      order: how the loop goes.
      weights: ``kernel`` W (inputs, gates * units), ``recurrent_kernel`` U (units, gates * units),
        and maybe ``bias`` b and ``recurrent_bias`` b' (gates * units,).
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before, (units, batch).
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      kept: factors (units, batch) on the state where it enters the product; taken as constants.

    Returns:
      Outputs (time, units, batch), and the state after each sequence's last step.
    """
    return _forward(gates, order, weights, x, carry, lengths, kept)[0]


def _forward(gates, order, weights, x, carry, lengths, kept):
    """What ``gated_scan`` returns, and of each step the hidden state before and the residuals."""
    projected = products.affine(weights["kernel"], weights.get("bias"))
    product = products.affine(weights["recurrent_kernel"], weights.get("recurrent_bias"))

    def step(carry, inputs):
        time, x = inputs
        hidden = gates.hidden(carry)
        after, residuals = gates.forward(carry, projected(x), product(_kept(hidden, kept)))
        output = gates.hidden(after)
        if lengths is not None:
            inside = time < lengths
            after = jax.tree.map(lambda new, old: jnp.where(inside, new, old), after, carry)
            output = jnp.where(inside, output, 0)
        return after, (output, (hidden, residuals))

    inputs = (jnp.arange(len(x)), x)
    carry, (outputs, saved) = jax.lax.scan(step, carry, inputs, **order._asdict())
    return (outputs, carry), saved


def _forward_for_gradient(gates, order, weights, x, carry, lengths, kept):
    result, saved = _forward(gates, order, weights, x, carry, lengths, kept)
    return result, (saved, weights, x, lengths, kept)


def _backward(gates: Gates, order: Order, everything: Any, cotangents: Any):
    saved, weights, x, lengths, kept = everything
    kernel, recurrent_kernel = weights["kernel"], weights["recurrent_kernel"]
    d_carry, blocks = _back_through_time(
        gates, order, recurrent_kernel, saved, lengths, kept, cotangents
    )
    d_projected = [blocks[place] for place in gates.projected]
    d_product = [blocks[place] for place in gates.product]
    d_weights = {
        "kernel": products.d_kernel(kernel, x, d_projected),
        "recurrent_kernel": products.d_kernel(recurrent_kernel, _kept(saved[0], kept), d_product),
        "bias": products.d_bias(d_projected),
        "recurrent_bias": products.d_bias(d_product),
    }
    d_x = None if is_ids(x) else products.d_inputs(kernel, d_projected)
    return {name: d_weights[name] for name in weights}, d_x, d_carry, None, None


def _back_through_time(gates, order, kernel, saved, lengths, kept, cotangents):
    """The cotangents of the first state and, by block, of gates (units, time, batch)."""
    d_outputs, d_carry = cotangents

    def step(state, inputs):
        d_after, sequences = state
        time, d_output, (hidden, residuals) = inputs
        _, onto_hidden = jax.vjp(gates.hidden, d_after)
        d_before = None
        if lengths is not None:
            inside = time < lengths
            d_before = jax.tree.map(lambda d: jnp.where(inside, 0, d), d_after)
            d_after = jax.tree.map(lambda d: jnp.where(inside, d, 0), d_after)
            d_output = jnp.where(inside, d_output, 0)
        d_after = _add(d_after, onto_hidden(d_output)[0])
        d_carry, blocks = gates.backward(residuals, hidden, d_after)
        d_operand = kernel @ jnp.concatenate([blocks[place] for place in gates.product])
        d_carry = _add(d_carry, onto_hidden(_kept(d_operand, kept))[0])
        if d_before is not None:
            d_carry = _add(d_carry, d_before)
        put = functools.partial(jax.lax.dynamic_update_index_in_dim, index=time, axis=1)
        return (d_carry, tuple(map(put, sequences, blocks))), None

    hidden, residuals = saved
    at_once = jax.vmap(gates.backward, in_axes=(0, 0, None))
    _, shapes = jax.eval_shape(at_once, residuals, hidden, d_carry)
    empty = tuple(jnp.swapaxes(jnp.zeros_like(shape), 0, 1) for shape in shapes)
    inputs = (jnp.arange(len(d_outputs)), d_outputs, saved)
    back = order._replace(reverse=not order.reverse)
    (d_carry, blocks), _ = jax.lax.scan(step, (d_carry, empty), inputs, **back._asdict())
    return d_carry, blocks


def _kept(hidden: jax.Array, kept: jax.Array | None) -> jax.Array:
    return hidden if kept is None else hidden * kept


def _add(one: Carry, other: Carry) -> Carry:
    return jax.tree.map(jnp.add, one, other)


gated_scan.defvjp(_forward_for_gradient, _backward)
