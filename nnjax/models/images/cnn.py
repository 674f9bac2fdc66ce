"""The convolutional network: blocks of convolutions and pooling, then dense layers."""

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax

from nnjax import activations, initializers
from nnjax.errors import UserError
from nnjax.layers.dropout import Dropout
from nnjax.layers.images.convolution import Conv, fastest_formulation
from nnjax.layers.images.layout import Layout, flatten_images, swap
from nnjax.layers.images.parts import in_parts
from nnjax.layers.images.pooling import max_pool
from nnjax.models.dense.dense_layers import dense_layers
from nnjax.traced import check_number, check_numbers

NON_DECREASING_ACTIVATIONS = (
    "identity",
    "threshold",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
)
"""Non-decreasing activations f, for which max f(x) = f(max x)."""


class CNN(nn.Module):
    """Blocks of convolution, activation and max pooling, then dense layers (LeCun et al. 1998).

    Block i repeats (convolution with ``features[i]`` kernels, activation) ``convolutions`` times;
    then come 2x2 max pooling and dropout. With ``skip``, a block whose input has the shape of its
    output adds its input to its output before pooling.

    On 28x28 grey images and 10 classes: one block of 20 5x5 kernels and 100 hidden neurons have
    289,630 parameters; blocks of 20 5x5 and 40 3x3 kernels 108,870.

    Attributes:
      features: number of kernels in each block.
      kernel_sizes: height and width of the kernels in each block; one number serves all blocks.
      convolutions: convolutions in a block.
      padding: "VALID" shrinks images by the kernel size - 1, "SAME" keeps their size.
      skip: whether to add the input of a block to its output if their shapes agree.
      hidden: widths of the dense layers before the last.
      outputs: width of the last layer; None takes the number of classes from the data.
      activation: activation after each convolution.
      hidden_activation: activation after each hidden dense layer.
      output_activation: activation of the last layer; leave it at "identity" for a cross-entropy,
        which takes logits.
      dropout: rate after each pooling; may be traced.
      hidden_dropout: rate after each hidden dense layer; may be traced.
      kernel_init: initialiser of the kernels.
      init_scale: factor on the initial kernels; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.models import CNN
      >>> model = CNN(features=(4,), kernel_sizes=(3,), hidden=(), outputs=10)
      >>> logits, _ = jax.jit(model.init_with_output)(jax.random.key(0), jnp.ones((2, 8, 8)))
      >>> logits.shape
      (2, 10)
    """

    features: tuple[int, ...] = (20, 40)
    kernel_sizes: tuple[int, ...] = (5, 3)
    convolutions: int = 1
    padding: Literal["VALID", "SAME"] = "VALID"
    skip: bool = False
    hidden: tuple[int, ...] = (100,)
    outputs: int | None = None
    activation: activations.Activation = "relu"
    hidden_activation: activations.Activation = "tanh"
    output_activation: activations.Activation = "identity"
    dropout: float = 0.0
    hidden_dropout: float = 0.0
    kernel_init: initializers.Initializer = "glorot_uniform"
    init_scale: float = 1.0

    def __post_init__(self):
        check_numbers("number of kernels", self.features, at_least=1)
        check_numbers("kernel size", self.kernel_sizes, at_least=1)
        check_number("number of convolutions in a block", self.convolutions, at_least=1)
        check_numbers("width of a hidden layer", self.hidden, at_least=1)
        check_number("number of outputs", self.outputs, at_least=1)
        check_number("dropout rate", self.dropout, at_least=0, below=1)
        check_number("hidden dropout rate", self.hidden_dropout, at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps images (batch, height, width, channels), or grey (batch, height, width), to logits.

        Returns:
          (batch, outputs).

        Raises:
          UserError: the inputs are not images, a kernel or a pooling window is larger than its
            input, or the number of kernel sizes is neither 1 nor the number of blocks.
        """
        if x.ndim == 3:
            x = x[..., None]
        if x.ndim != 4:
            raise UserError(
                "a convolutional network takes images (height, width[, channels]), "
                f"not examples of shape {x.shape[1:]}"
            )
        # Internal: parameters and outputs do not depend on the layout.
        layout: Layout = "CHWN" if fastest_formulation() == "patches" else "NHWC"
        blocks = [
            self._block(index + 1, features, size, layout, train)
            for index, (features, size) in enumerate(
                zip(self.features, self._sizes_of_blocks(), strict=True)
            )
        ]
        dense = dense_layers(
            hidden=self.hidden,
            outputs=self.outputs,
            activation=self.hidden_activation,
            dropout=self.hidden_dropout,
            kernel_init=self.kernel_init,
            init_scale=self.init_scale,
            train=train,
        )

        def features(images: jax.Array) -> jax.Array:
            images = images if layout == "NHWC" else swap(images)
            for block in blocks:
                images = block(images)
            return flatten_images(images, layout)

        def outputs(features: jax.Array) -> jax.Array:
            return activations.by_name(self.output_activation)(dense(features))

        # Evaluation stores no intermediate results for gradients, so parts would only add overhead.
        if layout == "NHWC" or not train:
            return outputs(features(x))
        return in_parts(features, outputs, x)

    def _sizes_of_blocks(self) -> tuple[int, ...]:
        """The kernel size of each block."""
        blocks, sizes = len(self.features), self.kernel_sizes
        if len(sizes) not in (1, blocks):
            raise UserError(
                f"kernel_sizes {sizes} are for {len(sizes)} blocks, but features {self.features} "
                f"make {blocks}; give one size, or one for each block"
            )
        return sizes * blocks if len(sizes) == 1 else sizes

    def _block(
        self, number: int, features: int, size: int, layout: Layout, train: bool
    ) -> Callable[[jax.Array], jax.Array]:
        """A function that applies convolutions, activations, the skip, pooling and dropout."""
        # Pooling before the activation gives the same numbers, and leaves a quarter of the elements
        # to bias and activation.
        pool_first = not self.skip and self.activation in NON_DECREASING_ACTIVATIONS
        last = self.convolutions - 1
        convolutions = [
            Conv(
                features,
                (size, size),
                padding=self.padding,
                kernel_init=self.kernel_init,
                init_scale=self.init_scale,
                pool=(2, 2) if index == last and pool_first else None,
                layout=layout,
                name=f"convolution{number}" + (f"_{index + 1}" if last else ""),
            )
            for index in range(self.convolutions)
        ]
        activate = activations.by_name(self.activation, axis=layout.index("C"))
        drop = Dropout(self.dropout)

        def block(x: jax.Array) -> jax.Array:
            block_input = x
            for convolution in convolutions:
                x = activate(convolution(x))
            if self.skip and x.shape == block_input.shape:
                x = x + block_input
            return drop(x if pool_first else max_pool(x, layout=layout), train=train)

        return block
