"""The convolutional network: blocks of convolutions and pooling, then dense layers."""

from typing import Literal

import flax.linen as nn
import jax

from nnjax import activations, initializers
from nnjax.layers.convolution import Conv
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.flatten import flatten
from nnjax.layers.pooling import max_pool


class CNN(nn.Module):
    """Blocks of convolution, activation and max pooling; then dense layers (LeCun et al. 1998).

    Block i is ``convolutions`` times (convolution with ``features[i]`` kernels, activation), then
    2x2 max pooling and dropout. With ``skip``, a block whose input has as many channels as its
    output adds its input to its output before pooling.

    Attributes:
      features: number of kernels in each block.
      kernel_sizes: height and width of the kernels in each block; one number serves all blocks.
      convolutions: convolutions in a block.
      padding: "VALID" shrinks images by the kernel size - 1, "SAME" keeps their size.
      skip: add the input of a block to its output, where their shapes agree.
      hidden: widths of the dense layers before the last.
      outputs: width of the last layer; None takes the number of classes from the data.
      activation: after each convolution.
      hidden_activation: after each hidden dense layer.
      output_activation: of the last layer. Leave "identity" with a cross-entropy, which takes logits.
      dropout: rate after each pooling; may be traced.
      hidden_dropout: rate after each hidden dense layer; may be traced.
      kernel_init: initialiser of the kernels.
      init_scale: factor on the initial kernels; may be traced.
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
