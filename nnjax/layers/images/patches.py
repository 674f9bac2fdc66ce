"""Convolution as one matrix product, Y = K^T P, in the batch-minor layout "CHWN".

P holds shifted copies of the images, one row for each tap of the kernel and channel. With the batch
last, every copy is a plain slice, and nothing is transposed: neither Y nor the gradients P G^T (of
the kernel) and K G (of the images).

A convolution that is followed by max pooling computes a *strip* of neighbouring outputs together:
P then holds the patch that the strip sees, and K has one shifted copy of the kernel for each output
of the strip. P is smaller, and the outputs that are pooled are adjacent in memory.
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
    """The convolution of ``x`` (channels, height, width, batch), zero-padded by ``pads``.

    Returns:
      (features, out height, out width, batch).
    """
    size = (kernel.shape[0], kernel.shape[1])
    return _product(kernel, _patches(_pad(x, pads), size, strides))


def convolve_and_pool(
    x: jax.Array, kernel: jax.Array, pads: tuple[Pair, Pair], window: Pair
) -> jax.Array:
    """The maximum of each ``window`` of the convolution with stride 1.

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
    # Outputs at the edge that do not fill a window are not computed.
    extent = [p * w + k - 1 for p, w, k in zip(pooled, window, kernel.shape[:2], strict=True)]
    patches = _patches(x[:, : extent[0], : extent[1]], size, strip)
    y = _product(_shifted_copies(kernel, strip), patches)
    strips = [w // s for w, s in zip(window, strip, strict=True)]
    y = y.reshape(*strip, kernel.shape[-1], pooled[0], strips[0], pooled[1], strips[1], x.shape[-1])
    return first_maximum(y, (4, 0, 6, 1))


def _strip(kernel: tuple[int, ...], window: Pair) -> Pair:
    """The height and width of a strip: the whole pooling window, or a single output.

    The product of a strip also multiplies by the zeros around each copy of the kernel. With few
    channels, where moving P takes longer than the product, it is still faster.
    """
    return window if kernel[2] <= 4 else (1, 1)


def _pad(x: jax.Array, pads: tuple[Pair, Pair]) -> jax.Array:
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _patches(x: jax.Array, size: Pair, strides: Pair) -> jax.Array:
    """Shifted copies of images (channels, height, width, batch), one for each tap of a patch.

    Returns:
      (patch height * patch width * channels, out height, out width, batch). The first axis is not
      split into taps and channels: with one channel, XLA would copy it into another memory layout.
    """
    out = _output_size(x, size, strides)
    row, column, channel, i, j = np.ogrid[: size[0], : size[1], : x.shape[0], : out[0], : out[1]]

    def gather(x: jax.Array) -> jax.Array:
        # One gather of whole batches takes a quarter of the time of stacking slices, each of which
        # would be written twice.
        taps = x.at[channel, row + strides[0] * i, column + strides[1] * j]
        return taps.get(mode="promise_in_bounds").reshape(-1, *out, x.shape[3])

    return compute_once(gather, x)


@_patches.defjvp
def _patches_jvp(size, strides, primals, tangents):
    """The tangent as slices, whose transpose is a sum of padded images instead of a scatter."""
    (x,), (tangent,) = primals, tangents
    spans = [
        (n - 1) * s + 1 for n, s in zip(_output_size(tangent, size, strides), strides, strict=True)
    ]
    slices = [
        tangent[:, i : i + spans[0] : strides[0], j : j + spans[1] : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]
    return _patches(x, size, strides), jnp.concatenate(slices)


def _output_size(x: jax.Array, size: Pair, strides: Pair) -> Pair:
    """The number of patches along height and width."""
    height, width = height_and_width(x)
    return (height - size[0]) // strides[0] + 1, (width - size[1]) // strides[1] + 1


def _shifted_copies(kernel: jax.Array, strip: Pair) -> jax.Array:
    """A copy of the kernel for each output of a strip, shifted within the patch of the strip.

    Maps (height, width, channels, features) to (height + strip height - 1, width + strip width - 1,
    channels, strip height * strip width * features).
    """
    no_pad = (0, 0)
    return jnp.concatenate(
        [
            jnp.pad(kernel, ((i, strip[0] - 1 - i), (j, strip[1] - 1 - j), no_pad, no_pad))
            for i in range(strip[0])
            for j in range(strip[1])
        ],
        axis=-1,
    )


def _product(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P for K (..., features) and P (taps * channels, out height, out width, batch)."""
    # As plain matrices: only for these does XLA merge transpositions into the product.
    matrix = patches.reshape(len(patches), -1)
    y = _matrix_product(kernel.reshape(-1, kernel.shape[-1]), matrix)
    return y.reshape(-1, *patches.shape[1:])


@jax.custom_jvp
def _matrix_product(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P for two matrices."""
    # Twice as fast with K^T in memory. Without the barrier XLA would undo the transposition.
    return lax.optimization_barrier(kernel.T) @ patches


def _matrix_product_jvp(primals, tangents):
    """The tangents, computed with K itself, so that the gradient K G needs no transposition."""
    (kernel, patches), (d_kernel, d_patches) = primals, tangents
    terms = []
    # The images of the first layer have no tangent: symbolic zeros skip its computation.
    if not isinstance(d_kernel, SymbolicZero):
        # The gradient is P G^T, or (G P^T)^T because of the barrier: the larger matrix first is
        # faster.
        wide = kernel.shape[1] > kernel.shape[0]
        terms.append(
            _matrix_product(d_kernel, patches) if wide else _product_in_place(d_kernel, patches)
        )
    if not isinstance(d_patches, SymbolicZero):
        terms.append(_product_in_place(kernel, d_patches))
    return _matrix_product(kernel, patches), sum(terms[1:], terms[0])


def _product_in_place(kernel: jax.Array, patches: jax.Array) -> jax.Array:
    """K^T P with K as it is in memory."""
    return lax.dot_general(kernel, patches, (((0,), (0,)), ((), ())))


_matrix_product.defjvp(_matrix_product_jvp, symbolic_zeros=True)
