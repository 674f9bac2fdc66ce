"""A cell with one product a step over all time steps, its gradient written by hand.

Arrays lie as (units, time, batch). So the products before and after the loop are plain products of
two matrices, gates are whole rows, and the products within the loop, of the transposed kernel with
(units, batch), are up to twice as fast on a CPU as those of (batch, units) with the kernel.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nnjax.layers.cells.cell import Carry
from nnjax.layers.cells.gates import Gates


class Order(NamedTuple):
    """How the compiled loop goes through time."""

    reverse: bool
    unroll: int


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def gated_scan(
    gates: Gates,
    order: Order,
    kernel: jax.Array,
    bias: jax.Array | None,
    projected: jax.Array,
    carry: Carry,
    lengths: jax.Array | None,
    kept: jax.Array | None,
) -> tuple[jax.Array, Carry]:
    """Advances a cell through time.

    Going back through time, a loop needs the product of each step's cotangent with the kernel; the
    gradient of the kernel itself does not depend on the order, so it is one product afterwards.

    Args:
      gates: the step but for its product.
      order: how the loop goes.
      kernel: U (units, gates * units).
      bias: b' (gates * units,), added to the product.
      projected: (gates * units, time, batch).
      carry: the state before, (units, batch).
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      kept: factors (units, batch) on the state where it enters the product; taken as constants.

    Returns:
      Outputs (units, time, batch), and the state after each sequence's last step.
    """
    return _forward(gates, order, kernel, bias, projected, carry, lengths, kept, False)[:2]


def _forward(gates, order, kernel, bias, projected, carry, lengths, kept, keep: bool):
    """Outputs and final state; to ``keep``, what entered the products, and residuals by step."""
    transposed = kernel.T

    def step(state, time):
        carry, outputs, operands = state
        operand = gates.hidden(carry) if kept is None else gates.hidden(carry) * kept
        product = transposed @ operand
        if bias is not None:
            product = product + bias[:, None]
        after, residuals = gates.forward(carry, _at(projected, time), product)
        output = gates.hidden(after)
        if lengths is not None:
            inside = time < lengths
            after = jax.tree.map(lambda new, old: jnp.where(inside, new, old), after, carry)
            output = jnp.where(inside, output, 0)
        outputs = _with(outputs, output, time)
        if keep:
            operands = _with(operands, operand, time)
        return (after, outputs, operands), (residuals if keep else None)

    steps = projected.shape[1]
    empty = jnp.zeros((kernel.shape[0], *projected.shape[1:]), projected.dtype)
    state = (carry, empty, empty if keep else None)
    (carry, outputs, operands), residuals = jax.lax.scan(
        step, state, jnp.arange(steps), **order._asdict()
    )
    return outputs, carry, operands, residuals


def _forward_for_gradient(gates, order, kernel, bias, projected, carry, lengths, kept):
    outputs, carry, operands, residuals = _forward(
        gates, order, kernel, bias, projected, carry, lengths, kept, True
    )
    return (outputs, carry), (operands, residuals, kernel, bias, lengths, kept)


def _backward(gates: Gates, order: Order, saved: Any, cotangents: Any):
    operands, residuals, kernel, bias, lengths, kept = saved
    d_outputs, d_carry = cotangents

    def step(state, inputs):
        d_after, d_projected, d_products = state
        time, residuals = inputs
        d_output = _at(d_outputs, time)
        _, onto_hidden = jax.vjp(gates.hidden, d_after)
        d_before = None
        if lengths is not None:
            inside = time < lengths
            d_before = jax.tree.map(lambda d: jnp.where(inside, 0, d), d_after)
            d_after = jax.tree.map(lambda d: jnp.where(inside, d, 0), d_after)
            d_output = jnp.where(inside, d_output, 0)
        d_after = _add(d_after, onto_hidden(d_output)[0])
        d_carry, d_gates, d_product = gates.backward(residuals, d_after)
        d_operand = kernel @ (d_gates if d_product is None else d_product)
        d_carry = _add(d_carry, onto_hidden(d_operand if kept is None else d_operand * kept)[0])
        if d_before is not None:
            d_carry = _add(d_carry, d_before)
        d_projected = _with(d_projected, d_gates, time)
        if d_product is not None:
            d_products = _with(d_products, d_product, time)
        return (d_carry, d_projected, d_products), None

    empty = jnp.zeros((kernel.shape[1], *operands.shape[1:]), d_outputs.dtype)
    state = (d_carry, empty, None if gates.shared else empty)
    back = order._replace(reverse=not order.reverse)
    (d_carry, d_projected, d_products), _ = jax.lax.scan(
        step, state, (jnp.arange(operands.shape[1]), residuals), **back._asdict()
    )
    d_products = d_projected if d_products is None else d_products
    d_kernel = jnp.einsum("utb,gtb->ug", operands, d_products)
    d_bias = None if bias is None else d_products.sum((1, 2))
    return d_kernel, d_bias, d_projected, d_carry, None, None


def _at(sequence: jax.Array, time: jax.Array) -> jax.Array:
    """A step (units, batch) of a sequence (units, time, batch)."""
    return jax.lax.dynamic_index_in_dim(sequence, time, 1, keepdims=False)


def _with(sequence: jax.Array, value: jax.Array, time: jax.Array) -> jax.Array:
    """A sequence (units, time, batch) with another step (units, batch)."""
    return jax.lax.dynamic_update_index_in_dim(sequence, value, time, 1)


def _add(one: Carry, other: Carry) -> Carry:
    return jax.tree.map(jnp.add, one, other)


gated_scan.defvjp(_forward_for_gradient, _backward)
