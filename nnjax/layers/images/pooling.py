"""Pooling: one number for each window of an image."""

import jax
import jax.numpy as jnp
from jax import lax

from nnjax.errors import UserError
from nnjax.layers.images.layout import Layout, height_and_width
from nnjax.layers.images.maximum import first_maximum

Window = tuple[int, int]


def max_pool(
    x: jax.Array, window: Window = (2, 2), strides: Window | None = None, layout: Layout = "NHWC"
) -> jax.Array:
    """The largest number of each window. What is left at the right and lower edge is dropped.

    The gradient goes to the first of equal maxima, in row-major order, as in PyTorch.

    Args:
      x: images (batch, height, width, channels), or as ``layout`` says.
      window: height and width of the windows.
      strides: from one window to the next along height and width; None is the window's size.
      layout: of x and of the result.

    Returns:
      (batch, (height - window) // stride + 1, likewise the width, channels).

    Raises:
      UserError: the image is smaller than the window.
    """
    del layout
    strides = strides or window
    check_window_fits(height_and_width(x), window)
    if strides == window:
        return first_maximum(_windows(x, window), (2, 4))
    is_float = jnp.issubdtype(x.dtype, jnp.floating)
    least = jnp.asarray(-jnp.inf if is_float else jnp.iinfo(x.dtype).min, x.dtype)
    return lax.reduce_window(x, least, lax.max, (1, *window, 1), (1, *strides, 1), "VALID")


def average_pool(
    x: jax.Array, window: Window = (2, 2), strides: Window | None = None, layout: Layout = "NHWC"
) -> jax.Array:
    """The mean of each window; arguments, shapes and errors as in :func:`max_pool`."""
    del layout
    strides = strides or window
    check_window_fits(height_and_width(x), window)
    if strides == window:
        return jnp.mean(_windows(x, window), (2, 4))
    zero = jnp.zeros((), x.dtype)
    total = lax.reduce_window(x, zero, lax.add, (1, *window, 1), (1, *strides, 1), "VALID")
    return total / (window[0] * window[1])


def global_average_pool(x: jax.Array, layout: Layout = "NHWC") -> jax.Array:
    """The mean of each channel: maps (batch, height, width, channels) to (batch, channels)."""
    mean = jnp.mean(x, axis=(1, 2))
    return mean if layout == "NHWC" else mean.T


def _windows(x: jax.Array, window: Window) -> jax.Array:
    """Splits both image axes in two: which window, and the place in it."""
    rows, columns = x.shape[1] // window[0], x.shape[2] // window[1]
    x = x[:, : rows * window[0], : columns * window[1]]
    return x.reshape(x.shape[0], rows, window[0], columns, window[1], x.shape[3])


def check_window_fits(image: tuple[int, int], window: Window) -> None:
    """Raises a ``UserError`` where the window is larger than the image."""
    if image[0] < window[0] or image[1] < window[1]:
        raise UserError(
            f"a {window[0]}x{window[1]} pooling window does not fit into a {image[0]}x{image[1]} "
            "image; take fewer blocks, a smaller kernel, or padding SAME"
        )
