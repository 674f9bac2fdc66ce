"""The maximum over axes, its gradient at the first of equal maxima."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from nnjax.compute_once import compute_once


def first_maximum(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The largest number along ``axes``, which are removed.

    The gradient goes to one maximum alone: the first where the last of ``axes`` runs fastest
    (``jnp.max`` shares it among equals). NaN wins over every number, as in ``jnp.max``.

    Args:
      x: of any shape and floating dtype.
      axes: not negative; meant to be few and short, for each element of them is an operation.
    """
    return _first_maximum(x, axes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _first_maximum(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return _maximum_and_place(x, axes)[0]


@_first_maximum.defjvp
def _first_maximum_jvp(axes, primals, tangents):
    (x,), (tangent,) = primals, tangents
    largest, place = _maximum_and_place(x, axes)

    # Only the places are kept for the gradient, not whether each element is at one.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def pick(place: jax.Array, tangent: jax.Array) -> jax.Array:
        # Transposed, this is a choice between the gradient and 0 for each element: one pass, while
        # the transposed slices would be padded and added up.
        here = lax.expand_dims(place, sorted(axes)) == _places(x.shape, axes)
        return jnp.sum(jnp.where(here, tangent, jnp.zeros_like(tangent)), axes)

    return largest, compute_once(pick, place, tangent)


def _maximum_and_place(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The maximum, and which element of ``axes`` it is, counted row by row."""
    dtype = _place_dtype(x.shape, axes)
    first, *others = itertools.product(*(range(x.shape[axis]) for axis in axes))
    largest = _element(x, axes, first)
    place = jnp.zeros(largest.shape, dtype)
    for number, index in enumerate(others, start=1):
        element = _element(x, axes, index)
        larger = (element > largest) | jnp.isnan(element)
        largest = jnp.where(larger, element, largest)
        place = jnp.where(larger, jnp.asarray(number, dtype), place)
    return largest, place


def _element(x: jax.Array, axes: tuple[int, ...], index: tuple[int, ...]) -> jax.Array:
    start, limit = [0] * x.ndim, list(x.shape)
    for axis, place in zip(axes, index, strict=True):
        start[axis], limit[axis] = place, place + 1
    return lax.squeeze(lax.slice(x, start, limit), axes)


def _places(shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    """The number of each element of ``axes``, broadcastable to ``shape``."""
    sizes = [shape[axis] for axis in axes]
    numbers = jnp.arange(math.prod(sizes), dtype=_place_dtype(shape, axes)).reshape(sizes)
    order = sorted(range(len(axes)), key=lambda place: axes[place])
    others = [axis for axis in range(len(shape)) if axis not in axes]
    return lax.expand_dims(numbers.transpose(order), others)


def _place_dtype(shape: tuple[int, ...], axes: tuple[int, ...]):
    count = math.prod(shape[axis] for axis in axes)
    return jnp.int8 if count < 128 else jnp.int32
