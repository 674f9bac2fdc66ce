"""The neuron, f(w . x + b): a weighted sum and an activation."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import activations, initializers


class Neuron(nn.Module):
    """One neuron: f(w . x + b) (McCulloch and Pitts 1943; Rosenblatt 1958).

    Parameters: ``weights`` w (inputs,), ``bias`` b (), float32: inputs + 1 numbers.

    Attributes:
      activation: f, such as "threshold" or "sigmoid".
      weights_init: initialiser of w; a neuron alone has no symmetry to break, so zeros will do.
      init_scale: factor on the initial w; may be traced.
    """

    activation: activations.Activation = "sigmoid"
    weights_init: initializers.Initializer = "zeros"
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (..., inputs) to (..., 1)."""
        draw = initializers.by_name(self.weights_init, self.init_scale)
        # Drawn as (inputs, 1), for some initialisers count inputs and outputs.
        weights = self.param(
            "weights", lambda key, inputs: draw(key, (inputs, 1), jnp.float32)[:, 0], x.shape[-1]
        )
        bias = self.param("bias", nn.initializers.zeros, (), jnp.float32)
        z = x @ weights.astype(x.dtype) + bias.astype(x.dtype)
        return activations.by_name(self.activation)(z)[..., None]
