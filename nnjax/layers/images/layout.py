"""The order of the axes of a batch of images in memory.

The public layout is (batch, height, width, channels), "NHWC". On a CPU, convolution and pooling are
fastest with the batch last, "CHWN": slices, pooling and activations then run along one long
contiguous axis.
"""

from typing import Literal

import jax

from nnjax.layers.flatten import flatten

Layout = Literal["NHWC", "CHWN"]


def swap(images: jax.Array) -> jax.Array:
    """Maps (batch, height, width, channels) to (channels, height, width, batch), or back."""
    return images.swapaxes(0, 3)


def flatten_images(images: jax.Array, layout: Layout) -> jax.Array:
    """Flattens to (batch, height * width * channels), in the same order from either layout."""
    if layout == "NHWC":
        return flatten(images)
    channels, height, width, batch = images.shape
    # The last transposition is free: XLA merges it into the product that follows.
    return images.transpose(1, 2, 0, 3).reshape(height * width * channels, batch).T


def height_and_width(images: jax.Array) -> tuple[int, int]:
    """The height and width of images in either layout."""
    return images.shape[1], images.shape[2]
