"""The artificial neuron, f(w . x + b): a weighted sum and an activation."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations, initializers


class Neuron(nn.Module):
    """One neuron: f(w . x + b) (McCulloch and Pitts 1943; Rosenblatt 1958).

    Parameters, float32: ``weights`` w (inputs,) and ``bias`` b (), which are inputs + 1 numbers.

    Attributes:
      activation: f, such as "threshold" or "sigmoid".
      weights_init: initialiser of w; a single neuron has no symmetry to break, so zeros suffice.
      init_scale: factor on the initial w; may be traced.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from nnjax.layers import Neuron
      >>> variables = {"params": {"weights": jnp.array([1.0, -1.0]), "bias": jnp.array(0.5)}}
      >>> Neuron("threshold").apply(variables, jnp.array([[2.0, 1.0], [0.0, 1.0]]))
      Array([[1.],
             [0.]], dtype=float32)
    """

    activation: activations.Activation = "sigmoid"
    weights_init: initializers.Initializer = "zeros"
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (..., inputs) to (..., 1)."""
        draw = initializers.by_name(self.weights_init, self.init_scale)
        # Some initialisers count inputs and outputs, so w is drawn as a matrix (inputs, 1).
        weights = self.param(
            "weights", lambda key, inputs: draw(key, (inputs, 1), jnp.float32)[:, 0], x.shape[-1]
        )
        bias = self.param("bias", nn.initializers.zeros, (), jnp.float32)
        z = x @ weights.astype(x.dtype) + bias.astype(x.dtype)
        return activations.by_name(self.activation)(z)[..., None]
