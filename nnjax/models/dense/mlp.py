"""The multi-layer perceptron."""

import flax.linen as nn
import jax

from nnjax import activations, initializers
from nnjax.layers.flatten import flatten
from nnjax.models.dense.dense_layers import dense_layers
from nnjax.traced import check_number, check_numbers


class MLP(nn.Module):
    """Dense layers with an activation after each: a_l = f(a_{l-1} W_l + b_l), a_0 the input.

    784-30-10 has 784 * 30 + 30 + 30 * 10 + 10 = 23,860 parameters.

    Attributes:
      features: widths of the hidden layers; empty for a linear model.
      outputs: width of the last layer; None takes the number of classes or targets from the data.
      activation: of the hidden layers.
      output_activation: of the last layer; "identity" with a cross-entropy, which takes logits.
      dropout: rate after each hidden layer; may be traced.
      kernel_init: initialiser of the W.
      init_scale: factor on the initial W; may be traced.
    """

    features: tuple[int, ...] = (30,)
    outputs: int | None = None
    activation: activations.Activation = "tanh"
    output_activation: activations.Activation = "identity"
    dropout: float = 0.0
    kernel_init: initializers.Initializer = "glorot_uniform"
    init_scale: float = 1.0

    def __post_init__(self):
        check_numbers("width of a hidden layer", self.features, at_least=1)
        check_number("number of outputs", self.outputs, at_least=1)
        check_number("dropout rate", self.dropout, at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (batch, ...) to (batch, outputs); the axes after the first are flattened."""
        layers = dense_layers(
            hidden=self.features,
            outputs=self.outputs,
            activation=self.activation,
            dropout=self.dropout,
            kernel_init=self.kernel_init,
            init_scale=self.init_scale,
            train=train,
        )
        return activations.by_name(self.output_activation)(layers(flatten(x)))
