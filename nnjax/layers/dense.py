"""The dense layer, y = x W + b."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from nnjax import initializers


class Dense(nn.Module):
    """Every output sees every input: y = x W + b.

    Parameters: ``kernel`` W (inputs, features), ``bias`` b (features,), float32.

    Attributes:
      features: number of outputs.
      use_bias: whether to add b.
      kernel_init: initialiser of W.
      bias_init: initialiser of b.
      init_scale: factor on the initial W; may be traced.
    """

    features: int
    use_bias: bool = True
    kernel_init: initializers.Initializer = "glorot_uniform"
    bias_init: initializers.Initializer = "zeros"
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (..., inputs) to (..., features)."""
        draw = initializers.by_name(self.kernel_init, self.init_scale)
        kernel = self.param("kernel", draw, (x.shape[-1], self.features), jnp.float32)
        y = x @ kernel.astype(x.dtype)
        if self.use_bias:
            bias = self.param(
                "bias", initializers.by_name(self.bias_init), (self.features,), jnp.float32
            )
            y = y + bias.astype(x.dtype)
        return y
