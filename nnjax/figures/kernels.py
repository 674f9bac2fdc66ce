"""The kernels of the first layer, as images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nnjax import parameters
from nnjax.data.preprocessing import permute
from nnjax.figures.mosaic import draw_mosaic
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 64


def first_layer_kernels(
    params: Any, input_shape: Sequence[int], permutation_seed: int | None = None
) -> np.ndarray | None:
    """The weights of the first layer that sees an image, each unit's as an image.

    Args:
      params: the parameters of a model.
      input_shape: (height, width, channels) of an image.
      permutation_seed: that of the preprocessing; the weights of a dense layer are put back to
        where their pixels were before it.

    Returns:
      (units, height, width, channels) of a convolution's kernels or of a dense layer's weights;
      None where neither fits the image.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import first_layer_kernels
      >>> params = {"convolution1": {"kernel": np.zeros((3, 3, 1, 20))}}
      >>> first_layer_kernels(params, (28, 28, 1)).shape
      (20, 3, 3, 1)
    """
    if len(input_shape) != 3:
        return None
    size = int(np.prod(input_shape))
    for path, leaf in jax.tree.leaves_with_path(params):
        if parameters.name(path).rsplit("/", 1)[-1] not in ("kernel", "weights"):
            continue
        weights = np.asarray(leaf, np.float32)
        if weights.ndim == 4 and weights.shape[2] == input_shape[2]:
            return np.moveaxis(weights, 3, 0)
        # A dense layer of nnjax keeps (units, inputs), one of Flax (inputs, units).
        if weights.ndim in (1, 2) and weights.shape[-1] == size:
            return _as_images(weights.reshape(-1, size), input_shape, permutation_seed)
        if weights.ndim == 2 and weights.shape[0] == size:
            return _as_images(weights.T, input_shape, permutation_seed)
    return None


def _as_images(weights: np.ndarray, shape: Sequence[int], seed: int | None) -> np.ndarray:
    """(units, height, width, channels) of the weights (units, pixels) of a dense layer."""
    units, size = weights.shape
    if seed is not None:
        pixels = permute(np.arange(size).reshape(1, *shape), seed).reshape(size)
        straight = np.empty_like(weights)
        straight[:, pixels] = weights
        weights = straight
    return weights.reshape(units, *shape)


@own_settings()
def draw_kernels(kernels: np.ndarray, title: str = "first layer") -> Figure:
    """Draws kernels, at most 64: blue below 0, red above, white at 0; three channels as colours.

    Args:
      kernels: (units, height, width, channels); of other than three channels the mean is shown.
      title: of the figure.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_kernels
      >>> figure = draw_kernels(np.random.default_rng(0).normal(size=(6, 3, 3, 1)))
      >>> len(figure.axes[0].images)
      6
    """
    shown = kernels[:MOST]
    count = f"{len(shown)} of {len(kernels)}" if len(shown) < len(kernels) else f"{len(kernels)}"
    height, width, channels = kernels.shape[1:]
    heading = f"{title}: {count} kernels of {height}x{width}"
    if channels == 3:
        low, high = shown.min((1, 2, 3), keepdims=True), shown.max((1, 2, 3), keepdims=True)
        return draw_mosaic((shown - low) / np.maximum(high - low, 1e-12), title=heading)
    shown = shown.mean(3, keepdims=True)
    # One scale for all, from a quantile: a single large weight would make all others pale.
    limit = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    note = f"blue -{limit:.2g}, white 0, red +{limit:.2g}"
    return draw_mosaic(shown, title=heading, note=note, cmap="RdBu_r", vmin=-limit, vmax=limit)
