"""Has an array computed once, where XLA would compute it anew for every reader."""

import functools

import jax
import jax.numpy as jnp
from jax import lax


def compute_once(x: jax.Array, axis: int) -> jax.Array:
    """The same array, written to memory by a CPU before anything reads it.

    XLA computes what is cheap in its eyes, random draws among it, together with what reads it: for
    a convolution, which takes every pixel once for each place of its kernel, as many times. An
    ``optimization_barrier`` does not stop it on a CPU. A loop does, since what a loop reads must be
    in memory.

    Args:
      x: any array.
      axis: along which to loop, of more than one element, and not spread over devices.
    """
    return _copy(x, axis) if jax.default_backend() == "cpu" and x.shape[axis] > 1 else x


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _copy(x: jax.Array, axis: int) -> jax.Array:
    """A copy in as few parts as make a loop."""
    size = x.shape[axis]
    part = max(size // factor for factor in range(2, size + 1) if size % factor == 0)

    def copy(number: jax.Array, copied: jax.Array) -> jax.Array:
        read = lax.dynamic_slice_in_dim(x, number * part, part, axis)
        return lax.dynamic_update_slice_in_dim(copied, read, number * part, axis)

    return lax.fori_loop(0, size // part, copy, jnp.zeros_like(x))


@_copy.defjvp
def _copy_jvp(axis, primals, tangents):
    """Gradients have one reader each, and are not copied."""
    (x,), (tangent,) = primals, tangents
    return _copy(x, axis), tangent
