"""Pooling of images: the maximum or mean of each window."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nnjax.errors import UserError
from nnjax.layers.images.layout import Layout, height_and_width
from nnjax.layers.images.maximum import first_maximum

Window = tuple[int, int]


def max_pool(
    x: jax.Array, window: Window = (2, 2), strides: Window | None = None, layout: Layout = "NHWC"
) -> jax.Array:
    """The maximum of each window. Rows and columns at the edge that fill no window are dropped.

    The gradient goes to the first of equal maxima, in row-major order, as in PyTorch.

    Args:
      x: images (batch, height, width, channels), or the axes of ``layout``.
      window: height and width of the windows.
      strides: step between windows along height and width; None is the window's size.
      layout: the order of the axes of ``x`` and of the result.

    Returns:
      (batch, (height - window) // stride + 1, likewise for the width, channels).

    Raises:
      UserError: the image is smaller than the window.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import max_pool
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
      Array([[ 5.,  7.],
             [13., 15.]], dtype=float32)
    """
    del layout
    strides = strides or window
    check_window_fits(height_and_width(x), window)
    if strides == window:
        return first_maximum(_windows(x, window), (2, 4))
    is_float = jnp.issubdtype(x.dtype, jnp.floating)
    # A NumPy constant: within `jit` one of `jnp` is traced, and JAX then does not recognise the
    # maximum, for which alone it knows the gradient.
    lowest = np.asarray(-np.inf if is_float else jnp.iinfo(x.dtype).min, x.dtype)
    return lax.reduce_window(x, lowest, lax.max, (1, *window, 1), (1, *strides, 1), "VALID")


def average_pool(
    x: jax.Array, window: Window = (2, 2), strides: Window | None = None, layout: Layout = "NHWC"
) -> jax.Array:
    """The mean of each window; arguments, shapes and errors are those of :func:`max_pool`.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import average_pool
      >>> average_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
      Array([[ 2.5,  4.5],
             [10.5, 12.5]], dtype=float32)
    """
    del layout
    strides = strides or window
    check_window_fits(height_and_width(x), window)
    if strides == window:
        return jnp.mean(_windows(x, window), (2, 4))
    zero = np.zeros((), x.dtype)
    total = lax.reduce_window(x, zero, lax.add, (1, *window, 1), (1, *strides, 1), "VALID")
    return total / (window[0] * window[1])


def global_average_pool(x: jax.Array, layout: Layout = "NHWC") -> jax.Array:
    """The mean of each channel: maps (batch, height, width, channels) to (batch, channels).

    Args:
      x: images (batch, height, width, channels), or the axes of ``layout``.
      layout: the order of the axes of ``x``.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import global_average_pool
      >>> global_average_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))
      Array([[7.5]], dtype=float32)
    """
    mean = jnp.mean(x, axis=(1, 2))
    return mean if layout == "NHWC" else mean.T


def _windows(x: jax.Array, window: Window) -> jax.Array:
    """Splits each image axis in two: the window, and the position within the window."""
    rows, columns = x.shape[1] // window[0], x.shape[2] // window[1]
    x = x[:, : rows * window[0], : columns * window[1]]
    return x.reshape(x.shape[0], rows, window[0], columns, window[1], x.shape[3])


def check_window_fits(image: tuple[int, int], window: Window) -> None:
    """Raises a ``UserError`` if the window is larger than the image."""
    if image[0] < window[0] or image[1] < window[1]:
        raise UserError(
            f"a {window[0]}x{window[1]} pooling window does not fit into a {image[0]}x{image[1]} "
            "image; take fewer blocks, a smaller kernel, or padding SAME"
        )
