"""The elementwise part of an LSTM's step and its derivative."""

import jax
import jax.numpy as jnp

from nnjax.layers.cells.gates import Gates, scales, sigmoid_of, sigmoid_slope_of, tanh_slope_of

Carry = tuple[jax.Array, jax.Array]


def _forward(carry: Carry, projected: jax.Array, product: jax.Array):
    _, c = carry
    halves = scales(0.5, 0.5, 1.0, 0.5, units=len(c), dtype=c.dtype)
    t = jnp.tanh((projected + product) * halves)
    i, f, g, o = jnp.split(t, 4)
    after = sigmoid_of(f) * c + sigmoid_of(i) * g
    phi = jnp.tanh(after)
    return (sigmoid_of(o) * phi, after), (t, c, phi)


def _backward(residuals, h, d_carry: Carry):
    t, c, phi = residuals
    d_h, d_c = d_carry
    i, f, g, o = jnp.split(t, 4)
    d_c = d_c + d_h * sigmoid_of(o) * tanh_slope_of(phi)
    slopes = [
        d_c * g * sigmoid_slope_of(i),
        d_c * c * sigmoid_slope_of(f),
        d_c * sigmoid_of(i) * tanh_slope_of(g),
        d_h * phi * sigmoid_slope_of(o),
    ]
    return (jnp.zeros_like(d_h), d_c * sigmoid_of(f)), (jnp.concatenate(slopes),)


def _hidden(carry: Carry) -> jax.Array:
    return carry[0]


LSTM_GATES = Gates(_forward, _backward, _hidden)
