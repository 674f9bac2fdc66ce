"""Computes an array once, where XLA would recompute it for every operation that reads it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer


def compute_once(f: Callable[..., jax.Array], *operands: jax.Array) -> jax.Array:
    """Returns ``f(*operands)``; on a CPU, its inputs and its output are written to memory.

    XLA fuses operations that it considers cheap into each operation that reads them. A convolution
    reads every pixel once for each tap of its kernel, so the pixel would be recomputed as often.
    XLA also merges a following reshape into the loops of ``f``, which then handle one number at a
    time and divide to find its index: up to seven times as slow. On a CPU an
    ``optimization_barrier`` prevents neither. A conditional does, since its inputs and its output
    must be in memory.

    Args:
      f: maps arrays to one array; may be differentiated.
      operands: pass every array that is costly to compute here instead of closing over it.

    Returns:
      The array ``f(*operands)``.
    """
    # Outside of `jit` each operation is a program of its own, and the conditional would be compiled
    # again at every call.
    traced = all(isinstance(operand, Tracer) for operand in operands)
    if not traced:
        return f(*operands)

    def never(*operands: jax.Array) -> jax.Array:
        result = jax.eval_shape(f, *operands)
        # Like an operand, so that under `jax.shard_map` the zeros vary over devices as it does.
        return lax.full_like(operands[0], 0, result.dtype, result.shape)

    def on_cpu(*operands: jax.Array) -> jax.Array:
        # The barrier hides from XLA's simplifier that the condition is always true.
        return lax.cond(lax.optimization_barrier(jnp.bool_(True)), f, never, *operands)

    # The platform is known when the program is lowered: an export is lowered for several.
    return lax.platform_dependent(*operands, cpu=on_cpu, default=f)
