"""A cell with one product a step over all time steps, its gradient written by hand."""

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
      projected: (time, batch, gates * units).
      carry: the state before.
      lengths: int (batch,): steps from there on leave the state alone and put out zeros.
      kept: factors (batch, units) on the state where it enters the product; taken as constants.

    Returns:
      Outputs (time, batch, units), and the state after each sequence's last step.
    """
    outputs, carry, _ = _forward(gates, order, kernel, bias, projected, carry, lengths, kept, False)
    return outputs, carry


def _forward(gates, order, kernel, bias, projected, carry, lengths, kept, keep_residuals: bool):
    """Outputs, final state, and what the gradient needs of each step."""

    def step(carry, inputs):
        projected, time = inputs
        operand = gates.hidden(carry) if kept is None else gates.hidden(carry) * kept
        product = operand @ kernel if bias is None else operand @ kernel + bias
        after, residuals = gates.forward(carry, projected, product)
        output = gates.hidden(after)
        if lengths is not None:
            inside = (time < lengths)[:, None]
            after = jax.tree.map(lambda new, old: jnp.where(inside, new, old), after, carry)
            output = jnp.where(inside, output, 0)
        return after, (output, (operand, residuals) if keep_residuals else None)

    times = jnp.arange(projected.shape[0])
    carry, (outputs, residuals) = jax.lax.scan(step, carry, (projected, times), **order._asdict())
    return outputs, carry, residuals


def _forward_for_gradient(gates, order, kernel, bias, projected, carry, lengths, kept):
    outputs, carry, residuals = _forward(
        gates, order, kernel, bias, projected, carry, lengths, kept, True
    )
    return (outputs, carry), (residuals, kernel, bias, lengths, kept)


def _backward(gates: Gates, order: Order, saved: Any, cotangents: Any):
    (operands, residuals), kernel, bias, lengths, kept = saved
    d_outputs, d_carry = cotangents
    # The product with a kernel laid out this way is the faster one, and it is needed every step.
    transposed = kernel.T

    def step(d_after, inputs):
        d_output, time, residuals = inputs
        _, onto_hidden = jax.vjp(gates.hidden, d_after)
        d_before = None
        if lengths is not None:
            inside = (time < lengths)[:, None]
            d_before = jax.tree.map(lambda d: jnp.where(inside, 0, d), d_after)
            d_after = jax.tree.map(lambda d: jnp.where(inside, d, 0), d_after)
            d_output = jnp.where(inside, d_output, 0)
        d_after = _add(d_after, onto_hidden(d_output)[0])
        d_carry, d_projected, d_product = gates.backward(residuals, d_after)
        d_operand = (d_projected if d_product is None else d_product) @ transposed
        d_carry = _add(d_carry, onto_hidden(d_operand if kept is None else d_operand * kept)[0])
        if d_before is not None:
            d_carry = _add(d_carry, d_before)
        return d_carry, (d_projected, d_product)

    times = jnp.arange(d_outputs.shape[0])
    back = order._replace(reverse=not order.reverse)
    d_carry, (d_projected, d_products) = jax.lax.scan(
        step, d_carry, (d_outputs, times, residuals), **back._asdict()
    )
    d_products = d_projected if d_products is None else d_products
    d_kernel = jnp.einsum("tbu,tbg->ug", operands, d_products)
    d_bias = None if bias is None else d_products.sum((0, 1))
    return d_kernel, d_bias, d_projected, d_carry, None, None


def _add(one: Carry, other: Carry) -> Carry:
    return jax.tree.map(jnp.add, one, other)


gated_scan.defvjp(_forward_for_gradient, _backward)
