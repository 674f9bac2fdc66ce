"""What is multiplied with a kernel in a loop over time, and the gradients, made after the loop.

Sequences are (time, units, batch), and cotangents of gates (units, time, batch), in blocks: the
kernel's outputs side by side. After the loop a gradient is one product over all time steps, of
matrices, since over two axes at once XLA takes twice as long on a CPU.
"""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from nnjax.layers.cells.weights import is_ids, rows


def affine(kernel: jax.Array, bias: jax.Array | None) -> Callable[[jax.Array], jax.Array]:
    """The function from (inputs, batch), or int ids (batch,), to (outputs, batch)."""
    transposed = kernel.T

    def f(x: jax.Array) -> jax.Array:
        y = rows(kernel, x).T if is_ids(x) else transposed @ x
        return y if bias is None else y + bias[:, None]

    return f


def d_kernel(kernel: jax.Array, x: jax.Array, blocks: list[jax.Array]) -> jax.Array:
    """The gradient of a kernel (inputs, outputs).

    Args:
      kernel: of which only the shape matters.
      x: what it was multiplied with: (time, inputs, batch), or int ids (time, batch).
      blocks: the cotangents of its outputs.
    """
    if is_ids(x):
        d_rows = jnp.moveaxis(jnp.concatenate(blocks), 0, -1)
        return jax.linear_transpose(lambda kernel: rows(kernel, x), kernel)(d_rows)[0]
    operand = _matrix(jnp.swapaxes(x, 0, 1))
    return jnp.concatenate([operand @ _matrix(block).T for block in blocks], axis=1)


def d_inputs(kernel: jax.Array, blocks: list[jax.Array]) -> jax.Array:
    """The cotangent (time, inputs, batch) of what was multiplied with a kernel."""
    ends = list(itertools.accumulate(map(len, blocks)))[:-1]
    parts = jnp.split(kernel, ends, axis=1)
    terms = [part @ _matrix(block) for part, block in zip(parts, blocks, strict=True)]
    sequence = functools.reduce(jnp.add, terms).reshape(-1, *blocks[0].shape[1:])
    return jnp.swapaxes(sequence, 0, 1)


def d_bias(blocks: list[jax.Array]) -> jax.Array:
    """The gradient of a bias (outputs,)."""
    return jnp.concatenate([block.sum((1, 2)) for block in blocks])


def _matrix(sequence: jax.Array) -> jax.Array:
    return sequence.reshape(len(sequence), -1)
