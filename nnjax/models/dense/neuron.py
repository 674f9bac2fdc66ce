"""A network of one neuron."""

import flax.linen as nn
import jax

from nnjax import activations, initializers
from nnjax.layers.flatten import flatten
from nnjax.layers.neuron import Neuron


class SingleNeuron(nn.Module):
    """One neuron, f(w . x + b): inputs + 1 parameters and a linear decision boundary.

    With a cross-entropy or the perceptron loss, leave ``activation`` at "identity": these losses
    apply the sigmoid or the threshold themselves.

    Attributes:
      activation: f.
      weights_init: initialiser of w.
      init_scale: factor on the initial w; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.models import SingleNeuron
      >>> jax.jit(SingleNeuron().init_with_output)(jax.random.key(0), jnp.ones((2, 3)))[0].shape
      (2, 1)
    """

    activation: activations.Activation = "identity"
    weights_init: initializers.Initializer = "zeros"
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (batch, ...) to (batch, 1)."""
        del train
        neuron = Neuron(self.activation, self.weights_init, self.init_scale, name="neuron")
        return neuron(flatten(x))
