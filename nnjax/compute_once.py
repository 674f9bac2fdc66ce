"""Has arrays computed once, where XLA would compute them anew for every reader."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer


def compute_once(f: Callable[..., jax.Array], *operands: jax.Array) -> jax.Array:
    """``f(*operands)``, what goes in and what comes out written to memory by a CPU.

    XLA computes what is cheap in its eyes together with what reads it: for a convolution, which
    takes every pixel once for each place of its kernel, as many times. It also merges a change of
    shape that follows into the loops of ``f``, which then go a number at a time, with divisions to
    find the place of each: up to seven times as long. An ``optimization_barrier`` stops neither on
    a CPU. A conditional does, since what goes into it and comes out must be in memory.

    Args:
      f: maps arrays to one array; may be differentiated.
      operands: whatever is costly to compute must be given here, not closed over.
    """
    # Outside of any jit operations are programs of their own, and a conditional would be compiled
    # anew at every call.
    traced = all(isinstance(operand, Tracer) for operand in operands)
    if jax.default_backend() != "cpu" or not traced:
        return f(*operands)

    def never(*operands: jax.Array) -> jax.Array:
        result = jax.eval_shape(f, *operands)
        # Like an operand: under jax.shard_map, of each device's own.
        return lax.full_like(operands[0], 0, result.dtype, result.shape)

    # Hides from XLA, while it simplifies, that the condition always holds.
    return lax.cond(lax.optimization_barrier(jnp.bool_(True)), f, never, *operands)
