"""Augmentation of images: random on the device for every batch, or fixed for a whole split."""

from dataclasses import dataclass
from numbers import Integral

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from nnjax.errors import UserError
from nnjax.traced import check_number


@dataclass(frozen=True)
class Augment:
    """Random changes of training images that leave the class as it is.

    Attributes:
      shift: largest shift in pixels along height and width, each drawn uniformly from
        -shift ... shift; pixels from outside the image are 0. This is a random crop of the image
        padded with zeros (He et al., 2015, use 4 for CIFAR-10).
      flip: mirror left and right with probability 1/2.
      crop: pad by this many mirrored pixels on each side and crop a random window of the original
        size.
      rotate: largest rotation in degrees, either way; drawn uniformly, about the image's centre.
      zoom: enlarge by a factor drawn uniformly from 1 - zoom ... 1 + zoom, about the centre.

    Example:
      >>> import jax
      >>> from nnjax.data import Augment
      >>> augment = Augment(shift=1, flip=True)
      >>> augment(jax.random.key(0), jax.numpy.ones((2, 8, 8, 3))).shape
      (2, 8, 8, 3)
    """

    shift: int = 0
    flip: bool = False
    crop: int = 0
    rotate: float = 0.0
    zoom: float = 0.0

    def __post_init__(self):
        for name in ("shift", "crop"):
            pixels = getattr(self, name)
            if not isinstance(pixels, Integral) or pixels < 0:
                raise UserError(f"{name} must be 0 or more whole pixels, not {pixels!r}")
        check_number("rotation in degrees", self.rotate, at_least=0)
        check_number("zoom", self.zoom, at_least=0, below=1)

    def __call__(self, key: jax.Array, inputs: jax.Array) -> jax.Array:
        """Maps images (batch, height, width[, channels]) to the same shape and dtype.

        Raises:
          UserError: an augmentation is asked for and the inputs are not images, or are too small.
        """
        if not (self.shift or self.flip or self.crop or self.rotate or self.zoom):
            return inputs
        check_images(inputs.shape, "augmentation needs")
        shift_key, flip_key, crop_key, turn_key = jax.random.split(key, 4)
        if self.flip:
            inputs = random_flip(flip_key, inputs)
        if self.crop:
            if self.crop >= min(inputs.shape[1:3]):
                raise UserError(f"crop={self.crop} is too large for {_size(inputs.shape)} images")
            inputs = random_window(crop_key, inputs, self.crop, mode="reflect")
        if self.rotate or self.zoom:
            inputs = random_turn(turn_key, inputs, self.rotate, self.zoom)
        if self.shift:
            if self.shift >= min(inputs.shape[1:3]):
                raise UserError(f"shift={self.shift} is too large for {_size(inputs.shape)} images")
            inputs = random_window(shift_key, inputs, self.shift, mode="constant")
        return inputs


def check_images(shape: tuple[int, ...], who_needs: str) -> None:
    """Raises a ``UserError`` unless ``shape`` is (batch, height, width[, channels])."""
    if len(shape) not in (3, 4):
        raise UserError(
            f"{who_needs} images (height, width[, channels]), not examples of shape {shape[1:]}"
        )


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Images (batch, height, width, ...), each mirrored left and right with probability 1/2."""
    coin = jax.random.bernoulli(key, shape=(len(images),))
    return jnp.where(_per_example(coin, images.ndim), images[:, :, ::-1], images)


def random_window(key: jax.Array, images: jax.Array, margin: int, mode: str) -> jax.Array:
    """A random window of the original size from each image, padded by ``margin``.

    Args:
      key: draws the place of each window, uniformly along height and width.
      images: (batch, height, width[, channels]).
      margin: pixels to pad on each side.
      mode: of the padding, as for ``jnp.pad``.
    """
    offsets = jax.random.randint(key, (2, len(images)), 0, 2 * margin + 1)
    for axis, offset in zip((1, 2), offsets, strict=True):
        images = _window_along(images, axis, offset, margin, mode)
    return images


def _window_along(
    images: jax.Array, axis: int, offset: jax.Array, margin: int, mode: str
) -> jax.Array:
    """The window of each padded image that begins at the image's ``offset`` along one axis.

    XLA fuses a choice among the few possible slices into one pass. A gather with an index for each
    example is several times slower.
    """
    size = images.shape[axis]
    widths = [(margin, margin) if place == axis else (0, 0) for place in range(images.ndim)]
    padded = jnp.pad(images, widths, mode=mode)
    offset = _per_example(offset, images.ndim)
    chosen = jax.lax.slice_in_dim(padded, 0, size, axis=axis)
    for begin in range(1, 2 * margin + 1):
        window = jax.lax.slice_in_dim(padded, begin, begin + size, axis=axis)
        chosen = jnp.where(offset == begin, window, chosen)
    return chosen


def random_turn(key: jax.Array, images: jax.Array, degrees: float, zoom: float) -> jax.Array:
    """Images rotated and enlarged at random about their centres, by bilinear interpolation.

    Args:
      key: draws an angle from -degrees ... degrees and a factor from 1 - zoom ... 1 + zoom for each
        image, uniformly.
      images: (batch, height, width[, channels]); outside of them is 0. Integers are rounded.
      degrees: the largest angle.
      zoom: the largest change of size.
    """
    draws = jax.random.uniform(key, (2, len(images)), minval=-1)
    angles, factors = jnp.deg2rad(degrees) * draws[0], 1 + zoom * draws[1]
    return jax.vmap(turn)(images, angles, factors)


def turn(image: jax.Array, angle: jax.Array | float, factor: jax.Array | float) -> jax.Array:
    """An image rotated anticlockwise and enlarged about its centre, by bilinear interpolation.

    Args:
      image: (height, width[, channels]); outside of it is 0. Integers are rounded.
      angle: in radians.
      factor: above 1 enlarges.
    """
    centre = [(size - 1) / 2 for size in image.shape[:2]]
    # Each pixel of the result is read at the place that it came from; rows run downwards.
    y, x = jnp.mgrid[: image.shape[0], : image.shape[1]]
    y, x = (y - centre[0]) / factor, (x - centre[1]) / factor
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    places = [cosine * y + sine * x + centre[0], cosine * x - sine * y + centre[1]]

    def look_up(channel: jax.Array) -> jax.Array:
        return map_coordinates(channel, places, order=1)

    return look_up(image) if image.ndim == 2 else jax.vmap(look_up, 2, 2)(image)


def _per_example(values: jax.Array, ndim: int) -> jax.Array:
    """Reshapes (batch,) to (batch, 1, 1 ...)."""
    return values.reshape(values.shape + (1,) * (ndim - 1))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]}"


def expand_shifts(images: np.ndarray) -> np.ndarray:
    """The images, then the images shifted by one pixel up, down, left and right.

    Fivefold expansion of a training set (Nielsen, Neural Networks and Deep Learning, chapter 6).

    Args:
      images: (n, height, width[, channels]).

    Returns:
      (5 n, height, width[, channels]) of the same dtype; pixels from outside the image are 0.
    """
    check_images(images.shape, "expand_shifts needs")
    count = len(images)
    expanded = np.zeros((5 * count, *images.shape[1:]), images.dtype)
    original, up, down, left, right = expanded.reshape(5, *images.shape)
    original[:] = images
    up[:, :-1] = images[:, 1:]
    down[:, 1:] = images[:, :-1]
    left[:, :, :-1] = images[:, :, 1:]
    right[:, :, 1:] = images[:, :, :-1]
    return expanded
