"""The maximum over axes, whose gradient goes to the first of equal maxima."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from nnjax.compute_once import compute_once


def first_maximum(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The maximum along ``axes``, which are removed.

    Of equal maxima, the gradient goes only to the first in row-major order of ``axes``; that of
    ``jnp.max`` is shared among them. A NaN is the maximum, as in ``jnp.max``.

    Args:
      x: of any shape, with a floating-point dtype.
      axes: not negative. Each element along them is an operation, so they should be short.

    Returns:
      ``x`` without ``axes``.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.images.maximum import first_maximum
      >>> jax.grad(lambda x: first_maximum(x, (0,)))(jnp.array([1.0, 3.0, 3.0]))
      Array([0., 1., 0.], dtype=float32)
    """
    return _first_maximum(x, axes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _first_maximum(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return _maximum_and_index(x, axes)[0]


@_first_maximum.defjvp
def _first_maximum_jvp(axes, primals, tangents):
    (x,), (tangent,) = primals, tangents
    largest, index = _maximum_and_index(x, axes)

    # Saves the indices of the maxima for the backward pass, not a mask of all elements.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def pick(index: jax.Array, tangent: jax.Array) -> jax.Array:
        # The transpose is one elementwise choice between the gradient and 0. The transpose of
        # slices would be a sum of padded arrays.
        here = lax.expand_dims(index, sorted(axes)) == _indices(x.shape, axes)
        return jnp.sum(jnp.where(here, tangent, jnp.zeros_like(tangent)), axes)

    return largest, compute_once(pick, index, tangent)


def _maximum_and_index(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The maximum, and its row-major index within ``axes``."""
    dtype = _index_dtype(x.shape, axes)
    first, *others = itertools.product(*(range(x.shape[axis]) for axis in axes))
    largest = _element(x, axes, first)
    index = jnp.zeros(largest.shape, dtype)
    for number, position in enumerate(others, start=1):
        element = _element(x, axes, position)
        larger = (element > largest) | jnp.isnan(element)
        largest = jnp.where(larger, element, largest)
        index = jnp.where(larger, jnp.asarray(number, dtype), index)
    return largest, index


def _element(x: jax.Array, axes: tuple[int, ...], position: tuple[int, ...]) -> jax.Array:
    """``x`` at one position of ``axes``, which are removed."""
    start, limit = [0] * x.ndim, list(x.shape)
    for axis, place in zip(axes, position, strict=True):
        start[axis], limit[axis] = place, place + 1
    return lax.squeeze(lax.slice(x, start, limit), axes)


def _indices(shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    """The row-major index of each element within ``axes``, broadcastable to ``shape``."""
    sizes = [shape[axis] for axis in axes]
    numbers = jnp.arange(math.prod(sizes), dtype=_index_dtype(shape, axes)).reshape(sizes)
    order = sorted(range(len(axes)), key=lambda position: axes[position])
    others = [axis for axis in range(len(shape)) if axis not in axes]
    return lax.expand_dims(numbers.transpose(order), others)


def _index_dtype(shape: tuple[int, ...], axes: tuple[int, ...]):
    count = math.prod(shape[axis] for axis in axes)
    return jnp.int8 if count < 128 else jnp.int32
