"""Flattening examples into vectors."""

import math

import jax


def flatten(x: jax.Array) -> jax.Array:
    """Maps (batch, ...) to (batch, product of the rest), the last axis running fastest."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))
