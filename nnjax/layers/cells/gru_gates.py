"""The elementwise part of a step of a GRU that resets after the product, and its derivative."""

import jax
import jax.numpy as jnp

from nnjax.layers.cells.gates import Gates, sigmoid_of, sigmoid_slope_of, tanh_slope_of, whole


def _forward(h: jax.Array, projected: jax.Array, product: jax.Array):
    cut = 2 * len(h)
    t = jnp.tanh(0.5 * (projected[:cut] + product[:cut]))
    r, z = jnp.split(sigmoid_of(t), 2)
    h_n = product[cut:]
    n = jnp.tanh(projected[cut:] + r * h_n)
    return z * h + (1 - z) * n, (t, n, h_n)


def _backward(residuals, h: jax.Array, d_h: jax.Array):
    t, n, h_n = residuals
    t_r, t_z = jnp.split(t, 2)
    r, z = sigmoid_of(t_r), sigmoid_of(t_z)
    d_n = d_h * (1 - z) * tanh_slope_of(n)
    d_r = d_n * h_n * sigmoid_slope_of(t_r)
    d_z = d_h * (h - n) * sigmoid_slope_of(t_z)
    return d_h * z, (jnp.concatenate([d_r, d_z]), d_n, d_n * r)


GRU_GATES = Gates(_forward, _backward, whole, projected=(0, 1), product=(0, 2))
