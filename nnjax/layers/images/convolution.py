"""The convolution of images with a set of kernels."""

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
    """The faster formulation on the default backend: "patches" on a CPU, else "lax"."""
    return "patches" if jax.default_backend() == "cpu" else "lax"


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, int] = (1, 1),
    padding: Padding = "VALID",
    formulation: Formulation = "auto",
    layout: Layout = "NHWC",
) -> jax.Array:
    """Convolves images with a set of kernels.

    y[b, i, j, o] = sum over u, v, c of x[b, s i + u, s j + v, c] K[u, v, c, o]. As usual in neural
    networks, this is the cross-correlation: the kernel is not flipped.

    Args:
      x: images (batch, height, width, channels), or the axes of ``layout``.
      kernel: (kernel height, kernel width, channels, features).
      strides: s along height and width.
      padding: "VALID" computes only outputs for which the kernel lies within the image, "SAME"
        pads with zeros to ceil(size / stride) outputs.
      formulation: "patches" is one matrix product with a matrix of shifted images; "lax" is the
        platform's own convolution; "auto" is the faster: patches on a CPU, else lax.
      layout: the order of the axes of ``x`` and of the result.

    Returns:
      (batch, out height, out width, features), or the axes of ``layout``; the dtype of ``x``.

    Raises:
      UserError: the image is smaller than the kernel.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.images.convolution import convolve
      >>> convolve(jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2)))[0, :, :, 0]
      Array([[9., 9., 9.],
             [9., 9., 9.],
             [9., 9., 9.]], dtype=float32)
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
    """Returns ``max_pool(convolve(x, kernel), window)``, fused if that is faster.

    Arguments, shapes and errors are those of :func:`convolve` and ``max_pool``.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.images.convolution import convolve_and_pool
      >>> convolve_and_pool(jnp.ones((1, 6, 6, 1)), jnp.ones((3, 3, 1, 2)), (2, 2)).shape
      (1, 2, 2, 2)
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
    """The numbers of zeros before and after the image, along height and width."""
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

    Parameters, float32: ``kernel`` (kernel height, kernel width, channels, features) and ``bias``
    (features,). They do not depend on the formulation or the layout.

    Attributes:
      features: number of kernels, which are the channels of the output.
      kernel_size: height and width of the kernels.
      strides: step of the kernels along height and width.
      padding: "VALID" shrinks images by the kernel size - 1, "SAME" keeps their size.
      use_bias: whether to add the bias.
      kernel_init: initialiser of the kernels.
      bias_init: initialiser of the bias.
      init_scale: factor on the initial kernels; may be traced.
      pool: window of a max pooling of the result; None does not pool. Needs strides of 1. Pooling
        before adding the bias is faster and gives the same: max(y + b) = max(y) + b.
      formulation: how it is computed; see :func:`convolve`.
      layout: order of the axes of input and output; "CHWN" avoids transposing between layers.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import Conv
      >>> images, layer = jnp.ones((2, 8, 8, 3)), Conv(4, (3, 3), pool=(2, 2))
      >>> y, _ = jax.jit(layer.init_with_output)(jax.random.key(0), images)
      >>> y.shape
      (2, 3, 3, 4)
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
        options = (self.padding, self.formulation, self.layout)
        if self.pool is None:
            y = convolve(x, kernel, self.strides, *options)
        elif self.strides == (1, 1):
            y = convolve_and_pool(x, kernel, self.pool, *options)
        else:
            raise UserError(f"pool needs strides of 1, not {self.strides}; pool with max_pool")
        if self.use_bias:
            bias = self.param(
                "bias", initializers.by_name(self.bias_init), (self.features,), jnp.float32
            )
            bias = bias.astype(x.dtype)
            y = y + (bias if self.layout == "NHWC" else bias[:, None, None, None])
        return y
