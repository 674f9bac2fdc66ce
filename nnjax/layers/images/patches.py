"""Convolution as one matrix product, Y = K^T P, in the batch-minor layout "CHWN".

P holds shifted copies of the images, one row for each tap of the kernel and channel. With the batch
last every copy is a plain slice, and nothing is ever transposed: neither Y nor, in the gradients,
P G^T (of the kernel) and K G (of the images).

A convolution that max pooling follows is computed a *strip* of neighbouring outputs at a time: P
then holds the patch that the strip sees, and K one shifted copy of the kernel for each of its
outputs. P is smaller, and the outputs to be pooled lie one behind the other.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from nnjax.compute_once import compute_once
from nnjax.layers.images.layout import height_and_width
from nnjax.layers.images.maximum import first_maximum

Pair = tuple[int, int]


def convolve(x: jax.Array, kernel: jax.Array, strides: Pair, pads: tuple[Pair, Pair]) -> jax.Array:
    """The convolution of ``x`` (channels, height, width, batch), padded by ``pads`` with zeros.

    Returns:
      (features, out height, out width, batch).
    """
    size = (kernel.shape[0], kernel.shape[1])
    return _product(kernel, _patches(_pad(x, pads), size, strides))


def convolve_and_pool(
    x: jax.Array, kernel: jax.Array, pads: tuple[Pair, Pair], window: Pair
) -> jax.Array:
    """The largest number of each ``window`` of the convolution with stride 1.

    Returns:
      (features, out height // window height, out width // window width, batch).
    """
    strip = _strip(kernel.shape, window)
    size = (kernel.shape[0] + strip[0] - 1, kernel.shape[1] + strip[1] - 1)
    x = _pad(x, pads)
    pooled = [
        (n - k + 1) // w
        for n, k, w in zip(height_and_width(x), kernel.shape[:2], window, strict=True)
    ]
    # Only whole windows: what is left over at the edge is never computed.
    extent = [p * w + k - 1 for p, w, k in zip(pooled, window, kernel.shape[:2], strict=True)]
    patches = _patches(x[:, : extent[0], : extent[1]], size, strip)
    y = _product(_shifted_copies(kernel, strip), patches)
    rest = [w // s for w, s in zip(window, strip, strict=True)]
    y = y.reshape(*strip, kernel.shape[-1], pooled[0], rest[0], pooled[1], rest[1], x.shape[-1])
    return first_maximum(y, (4, 0, 6, 1))


def _strip(kernel: tuple[int, ...], window: Pair) -> Pair:
    """How many outputs to compute together, within a pooling window.

    The patch of a strip multiplies the kernel's copies by zeros too. That pays with few channels,
    where moving P costs more than the product.
    """
    return window if kernel[2] <= 4 else (1, 1)


def _pad(x: jax.Array, pads: tuple[Pair, Pair]) -> jax.Array:
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _patches(x: jax.Array, size: Pair, strides: Pair) -> jax.Array:
    """Shifted copies of images (channels, height, width, batch), one for each place in a patch.

    Returns:
      (patch height * patch width * channels, out height, out width, batch). Axes of their own for
      the places and the channels would, of one channel, be copied into another order of memory.
    """
    out = _places(x, size, strides)
    row, column, channel, i, j = np.ogrid[: size[0], : size[1], : x.shape[0], : out[0], : out[1]]

    def gather(x: jax.Array) -> jax.Array:
        # One gather of whole batches is a fourth of the time of a stack of slices, each of which
        # would be written twice.
        where = x.at[channel, row + strides[0] * i, column + strides[1] * j]
        return where.get(mode="promise_in_bounds").reshape(-1, *out, x.shape[3])

    return compute_once(gather, x)


@_patches.defjvp
def _patches_jvp(size, strides, primals, tangents):
    """The tangent by slices: transposed, they are a sum of padded images, and no scattering."""
    (x,), (tangent,) = primals, tangents
    spans = [(n - 1) * s + 1 for n, s in zip(_places(tangent, size, strides), strides, strict=True)]
    slices = [
        tangent[:, i : i + spans[0] : strides[0], j : j + spans[1] : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]
    return _patches(x, size, strides), jnp.concatenate(slices)


def _places(x: jax.Array, size: Pair, strides: Pair) -> Pair:
    """How many patches there are along height and width."""
    height, width = height_and_width(x)
    return (height - size[0]) // strides[0] + 1, (width - size[1]) // strides[1] + 1


def _shifted_copies(kernel: jax.Array, strip: Pair) -> jax.Array:
    """The kernel at each place of a strip, within the patch that the strip sees.

    Maps (height, width, channels, features) to (height + strip height - 1, width + strip width - 1,
    channels, strip height * strip width * features).
    """
    none = (0, 0)
    return jnp.concatenate(
        [
            jnp.pad(kernel, ((i, strip[0] - 1 - i), (j, strip[1] - 1 - j), none, none))
            for i in range(strip[0])
            for j in range(strip[1])
        ],
        axis=-1,
    )


def _product(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P of K (..., features) and P (taps * channels, out height, out width, batch)."""
    # Two plain matrices, since XLA moves transpositions only of such into the product.
    matrix = patches.reshape(len(patches), -1)
    y = _matrix_product(kernel.reshape(-1, kernel.shape[-1]), matrix)
    return y.reshape(-1, *patches.shape[1:])


@jax.custom_jvp
def _matrix_product(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P of two matrices."""
    # Twice as fast with K^T in memory. Without the barrier XLA takes the transposition back.
    return lax.optimization_barrier(kernel.T) @ patches


def _matrix_product_jvp(primals, tangents):
    """The tangents by K itself, so that the gradient K G needs no transposition either."""
    (kernel, patches), (d_kernel, d_patches) = primals, tangents
    terms = []
    # Symbolic zeros: the images of the first layer have no tangent, and none is computed.
    if not isinstance(d_kernel, SymbolicZero):
        # The gradient is P G^T or, by the barrier, (G P^T)^T: faster with the larger matrix first.
        wide = kernel.shape[1] > kernel.shape[0]
        terms.append(_matrix_product(d_kernel, patches) if wide else _product_by(d_kernel, patches))
    if not isinstance(d_patches, SymbolicZero):
        terms.append(_product_by(kernel, d_patches))
    return _matrix_product(kernel, patches), sum(terms[1:], terms[0])


def _product_by(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P by K as it is in memory."""
    return lax.dot_general(kernel, patches, (((0,), (0,)), ((), ())))


_matrix_product.defjvp(_matrix_product_jvp, symbolic_zeros=True)
