"""The multi-layer perceptron."""

import flax.linen as nn
import jax

from nnjax import activations, initializers
from nnjax.layers.flatten import flatten
from nnjax.models.dense.dense_layers import dense_layers
from nnjax.traced import check_number, check_numbers


class MLP(nn.Module):
    """The multi-layer perceptron: a_l = f(a_{l-1} W_l + b_l), where a_0 is the input.

    784-30-10 has 784 * 30 + 30 + 30 * 10 + 10 = 23,860 parameters.

    Attributes:
      features: widths of the hidden layers; empty for a linear model.
      outputs: width of the last layer; None takes the number of classes or targets from the data.
      activation: activation of the hidden layers.
      output_activation: activation of the last layer; leave it at "identity" for a cross-entropy,
        which takes logits.
      dropout: rate after each hidden layer; may be traced.
      kernel_init: initialiser of each W.
      init_scale: factor on the initial W; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.models import MLP
      >>> images = jnp.ones((2, 28, 28))
      >>> logits, _ = jax.jit(MLP((30,), outputs=10).init_with_output)(jax.random.key(0), images)
      >>> logits.shape
      (2, 10)
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
        """Maps (batch, ...) to (batch, outputs), after flattening each example."""
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
