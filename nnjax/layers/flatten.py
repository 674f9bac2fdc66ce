"""Flattening of examples into vectors."""

import math

import jax


def flatten(x: jax.Array) -> jax.Array:
    """Maps (batch, ...) to (batch, product of the other sizes), in row-major order.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.layers.flatten import flatten
      >>> flatten(jnp.ones((2, 3, 4))).shape
      (2, 12)
    """
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))
