"""A scan over time of a cell whose step has one product, with a gradient written by hand.

Arrays are (time, units, batch). What a step reads is then contiguous, gates are whole rows, and the
products inside the loop, of a transposed kernel with (units, batch), are up to twice as fast on a
CPU as products of (batch, units) with a kernel.

The input's product is computed inside the loop too: computed for all time steps at once, its result
would be written to memory and read back. In the backward loop each step needs the product of its
cotangent with the recurrent kernel. The other gradients do not depend on the order of time, so each
is one product after the loop. For these, the cotangents of the gates are kept as
(units, time, batch), in blocks: the outputs of a kernel side by side. These products are of plain
matrices, since XLA takes twice as long on a CPU to contract two axes at once.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nnjax.layers.cells.cell import Carry, Weights
from nnjax.layers.cells.gates import Gates
from nnjax.layers.cells.weights import is_ids, take_rows


class LoopOptions(NamedTuple):
    """The options of ``jax.lax.scan``: whether it starts at the end, and its unrolled steps."""

    reverse: bool
    unroll: int


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def gated_scan(
    gates: Gates,
    options: LoopOptions,
    weights: Weights,
    x: jax.Array,
    carry: Carry,
    lengths: jax.Array | None,
    state_mask: jax.Array | None,
) -> tuple[jax.Array, Carry]:
    """Runs a cell over all time steps.

    Args:
      gates: the step without its products.
      options: how the loop runs.
      weights: ``kernel`` W (inputs, gates * units), ``recurrent_kernel`` U (units, gates * units),
        and optionally ``bias`` b and ``recurrent_bias`` b' (gates * units,).
      x: (time, inputs, batch), or int ids (time, batch).
      carry: the state before the first step, (units, batch).
      lengths: int (batch,): from there on a sequence keeps its state and outputs zeros.
      state_mask: factors (units, batch) on the state where it enters the product; treated as
        constants.

    Returns:
      Outputs (time, units, batch), and the state after each sequence's last step.
    """
    return _forward(gates, options, weights, x, carry, lengths, state_mask)[0]


def _forward(gates, options, weights, x, carry, lengths, state_mask):
    """The result of ``gated_scan``, and the hidden state before each step with its residuals."""
    project = _affine(weights["kernel"], weights.get("bias"))
    project_state = _affine(weights["recurrent_kernel"], weights.get("recurrent_bias"))

    def step(carry, inputs):
        time, x = inputs
        hidden = gates.hidden(carry)
        projected = project(x)
        product = project_state(_masked(hidden, state_mask))
        after, residuals = gates.forward(carry, projected, product)
        output = gates.hidden(after)
        if lengths is not None:
            inside = time < lengths
            after = jax.tree.map(lambda new, old: jnp.where(inside, new, old), after, carry)
            output = jnp.where(inside, output, 0)
        return after, (output, (hidden, residuals))

    inputs = (jnp.arange(len(x)), x)
    carry, (outputs, saved) = jax.lax.scan(step, carry, inputs, **options._asdict())
    return (outputs, carry), saved


def _forward_for_gradient(gates, options, weights, x, carry, lengths, state_mask):
    result, saved = _forward(gates, options, weights, x, carry, lengths, state_mask)
    return result, (saved, weights, x, lengths, state_mask)


def _backward(gates: Gates, options: LoopOptions, residuals: Any, cotangents: Any):
    saved, weights, x, lengths, state_mask = residuals
    kernel, recurrent_kernel = weights["kernel"], weights["recurrent_kernel"]
    d_carry, blocks = _back_through_time(
        gates, options, recurrent_kernel, saved, lengths, state_mask, cotangents
    )
    d_projected = [blocks[index] for index in gates.projected]
    d_product = [blocks[index] for index in gates.product]
    d_weights = {
        "kernel": _d_kernel(kernel, x, d_projected),
        "recurrent_kernel": _d_kernel(recurrent_kernel, _masked(saved[0], state_mask), d_product),
        "bias": _d_bias(d_projected),
        "recurrent_bias": _d_bias(d_product),
    }
    d_x = None if is_ids(x) else _d_inputs(kernel, d_projected)
    return {name: d_weights[name] for name in weights}, d_x, d_carry, None, None


def _back_through_time(gates, options, kernel, saved, lengths, state_mask, cotangents):
    """The cotangents of the first state and, by block, of the gates (units, time, batch)."""
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
        d_operand = kernel @ jnp.concatenate([blocks[index] for index in gates.product])
        d_carry = _add(d_carry, onto_hidden(_masked(d_operand, state_mask))[0])
        if d_before is not None:
            d_carry = _add(d_carry, d_before)
        write = functools.partial(jax.lax.dynamic_update_index_in_dim, index=time, axis=1)
        return (d_carry, tuple(map(write, sequences, blocks))), None

    hidden, residuals = saved
    all_steps = jax.vmap(gates.backward, in_axes=(0, 0, None))
    _, shapes = jax.eval_shape(all_steps, residuals, hidden, d_carry)
    empty = tuple(jnp.swapaxes(jnp.zeros_like(shape), 0, 1) for shape in shapes)
    inputs = (jnp.arange(len(d_outputs)), d_outputs, saved)
    backwards = options._replace(reverse=not options.reverse)
    (d_carry, blocks), _ = jax.lax.scan(step, (d_carry, empty), inputs, **backwards._asdict())
    return d_carry, blocks


def _masked(hidden: jax.Array, state_mask: jax.Array | None) -> jax.Array:
    return hidden if state_mask is None else hidden * state_mask


def _add(one: Carry, other: Carry) -> Carry:
    return jax.tree.map(jnp.add, one, other)


def _affine(kernel: jax.Array, bias: jax.Array | None) -> Callable[[jax.Array], jax.Array]:
    """A function from (inputs, batch), or int ids (batch,), to (outputs, batch)."""
    transposed = kernel.T

    def affine(x: jax.Array) -> jax.Array:
        y = take_rows(kernel, x).T if is_ids(x) else transposed @ x
        return y if bias is None else y + bias[:, None]

    return affine


def _d_kernel(kernel: jax.Array, x: jax.Array, blocks: list[jax.Array]) -> jax.Array:
    """The gradient of a kernel (inputs, outputs).

    Args:
      kernel: only its shape matters.
      x: the other factor of the product: (time, inputs, batch), or int ids (time, batch).
      blocks: the cotangents of the product.
    """
    if is_ids(x):
        d_rows = jnp.moveaxis(jnp.concatenate(blocks), 0, -1)
        return jax.linear_transpose(lambda kernel: take_rows(kernel, x), kernel)(d_rows)[0]
    operand = _matrix(jnp.swapaxes(x, 0, 1))
    return jnp.concatenate([operand @ _matrix(block).T for block in blocks], axis=1)


def _d_inputs(kernel: jax.Array, blocks: list[jax.Array]) -> jax.Array:
    """The cotangent (time, inputs, batch) of the input of a product with a kernel."""
    ends = list(itertools.accumulate(map(len, blocks)))[:-1]
    parts = jnp.split(kernel, ends, axis=1)
    terms = [part @ _matrix(block) for part, block in zip(parts, blocks, strict=True)]
    sequence = functools.reduce(jnp.add, terms).reshape(-1, *blocks[0].shape[1:])
    return jnp.swapaxes(sequence, 0, 1)


def _d_bias(blocks: list[jax.Array]) -> jax.Array:
    """The gradient of a bias (outputs,)."""
    return jnp.concatenate([block.sum((1, 2)) for block in blocks])


def _matrix(sequence: jax.Array) -> jax.Array:
    """Maps (units, time, batch) to (units, time * batch)."""
    return sequence.reshape(len(sequence), -1)


gated_scan.defvjp(_forward_for_gradient, _backward)
