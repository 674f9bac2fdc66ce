"""The convolution of images with a bank of kernels."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from nnjax import initializers
from nnjax.errors import UserError
from nnjax.layers.images import patches
from nnjax.layers.images.layout import Layout, height_and_width, swap
from nnjax.layers.images.pooling import check_window_fits, max_pool

Formulation = Literal["auto", "patches", "lax"]
Padding = Literal["VALID", "SAME"]


def fastest_formulation() -> Literal["patches", "lax"]:
    """The formulation for the platform of the program that is being traced."""
    return "patches" if jax.default_backend() == "cpu" else "lax"


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int] = (1, 1),
    padding: Padding = "VALID",
    formulation: Formulation = "auto",
    layout: Layout = "NHWC",
) -> jax.Array:
    """Slides a bank of kernels over images.

    y[b, i, j, o] = sum over u, v, c of x[b, s i + u, s j + v, c] K[u, v, c, o]. What neural
    networks call convolution is the cross-correlation.

    Args:
      x: images (batch, height, width, channels), or as ``layout`` says.
      kernel: (kernel height, kernel width, channels, features).
      strides: s, along height and width.
      padding: "VALID" keeps to where the kernel lies within the image, "SAME" pads with zeros to
        ceil(size / stride) outputs.
      formulation: "patches" is one matrix product with a matrix of shifted images; "lax" is the
        platform's own convolution; "auto" takes the faster: patches on a CPU, else lax.
      layout: of x and of the result.

    Returns:
      (batch, out height, out width, features) of the dtype of ``x``, or as ``layout`` says.

    Raises:
      UserError: the image is smaller than the kernel.
    """
    pads = _pads(x, kernel, strides, padding)
    kernel = kernel.astype(x.dtype)
    if _choose(formulation) == "lax":
        dimensions = (layout, "HWIO", layout)
        return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=dimensions)
    if layout == "NHWC":
        return swap(patches.convolve(swap(x), kernel, strides, pads))
    return patches.convolve(x, kernel, strides, pads)


def convolve_and_pool(
    x: jax.Array,
    kernel: jax.Array,
    window: tuple[int, int],
    padding: Padding = "VALID",
    formulation: Formulation = "auto",
    layout: Layout = "NHWC",
) -> jax.Array:
    """``max_pool(convolve(x, kernel), window)``, the two in one where that is faster.

    Arguments, shapes and errors as in :func:`convolve` and ``max_pool``.
    """
    pads = _pads(x, kernel, (1, 1), padding)
    if _choose(formulation) == "lax":
        y = convolve(x, kernel, padding=padding, formulation="lax", layout=layout)
        return max_pool(y, window, layout=layout)
    size = [
        n + sum(pad) - k + 1
        for n, pad, k in zip(height_and_width(x), pads, kernel.shape[:2], strict=True)
    ]
    check_window_fits((size[0], size[1]), window)
    kernel = kernel.astype(x.dtype)
    if layout == "NHWC":
        return swap(patches.convolve_and_pool(swap(x), kernel, pads, window))
    return patches.convolve_and_pool(x, kernel, pads, window)


def _choose(formulation: Formulation) -> Literal["patches", "lax"]:
    return fastest_formulation() if formulation == "auto" else formulation


def _pads(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int], padding: Padding
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros before and after, along height and width."""
    image, size = height_and_width(x), kernel.shape[:2]
    if padding == "VALID" and (image[0] < size[0] or image[1] < size[1]):
        raise UserError(
            f"a {size[0]}x{size[1]} kernel does not fit into a {image[0]}x{image[1]} image; "
            "take a smaller kernel, fewer blocks, or padding SAME"
        )
    vertical, horizontal = lax.padtype_to_pads(image, size, strides, padding)
    return vertical, horizontal


class Conv(nn.Module):
    """Convolution of images with ``features`` kernels, plus a bias for each.

    Parameters: ``kernel`` (kernel height, kernel width, channels, features), ``bias`` (features,),
    float32, the same whatever the formulation and layout.

    Attributes:
      features: number of kernels, the channels of the output.
      kernel_size: height and width of the kernels.
      strides: step of the kernels along height and width.
      padding: "VALID" shrinks images by the kernel size - 1, "SAME" keeps their size.
      use_bias: whether to add the bias.
      kernel_init: initialiser of the kernels.
      bias_init: initialiser of the bias.
      init_scale: factor on the initial kernels; may be traced.
      pool: window of a max pooling of the result, before the bias, which changes nothing but the
        time: max(y + b) = max(y) + b. Strides must be 1. None does not pool.
      formulation: how it is computed; see :func:`convolve`.
      layout: order of the axes of input and output; "CHWN" saves transposing between layers.
    """

    features: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "VALID"
    use_bias: bool = True
    kernel_init: initializers.Initializer = "glorot_uniform"
    bias_init: initializers.Initializer = "zeros"
    init_scale: float = 1.0
    pool: tuple[int, int] | None = None
    formulation: Formulation = "auto"
    layout: Layout = "NHWC"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (batch, height, width, channels) to (batch, out height, out width, features)."""
        channels = x.shape[self.layout.index("C")]
        draw = initializers.by_name(self.kernel_init, self.init_scale)
        shape = (*self.kernel_size, channels, self.features)
        kernel = self.param("kernel", draw, shape, jnp.float32)
        where = (self.padding, self.formulation, self.layout)
        if self.pool is None:
            y = convolve(x, kernel, self.strides, *where)
        elif self.strides == (1, 1):
            y = convolve_and_pool(x, kernel, self.pool, *where)
        else:
            raise UserError(f"pool needs strides of 1, not {self.strides}; pool with max_pool")
        if self.use_bias:
            bias = self.param(
                "bias", initializers.by_name(self.bias_init), (self.features,), jnp.float32
            )
            bias = bias.astype(x.dtype)
            y = y + (bias if self.layout == "NHWC" else bias[:, None, None, None])
        return y
