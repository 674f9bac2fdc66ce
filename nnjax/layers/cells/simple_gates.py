"""The elementwise part of a simple cell's step and its derivative, an activation each."""

import jax
import jax.numpy as jnp

from nnjax.layers.cells.gates import Gates, tanh_slope_of, whole


def _tanh_forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    after = jnp.tanh(projected + product)
    return after, after


def _tanh_backward(after: jax.Array, h: jax.Array, d_after: jax.Array):
    return jnp.zeros_like(d_after), (d_after * tanh_slope_of(after),)


def _relu_forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    after = jax.nn.relu(projected + product)
    return after, after


def _relu_backward(after: jax.Array, h: jax.Array, d_after: jax.Array):
    return jnp.zeros_like(d_after), (jnp.where(after > 0, d_after, 0),)


SIMPLE_GATES = {
    "tanh": Gates(_tanh_forward, _tanh_backward, whole),
    "relu": Gates(_relu_forward, _relu_backward, whole),
}
