"""The elementwise part of a step of an LSTM with coupled gates, and its derivative."""

import jax
import jax.numpy as jnp

from nnjax.layers.cells.gates import Gates, scales, sigmoid_of, sigmoid_slope_of, tanh_slope_of

Carry = tuple[jax.Array, jax.Array]


def _forward(carry: Carry, projected: jax.Array, product: jax.Array):
    _, c = carry
    halves = scales(0.5, 1.0, 0.5, units=len(c), dtype=c.dtype)
    t = jnp.tanh((projected + product) * halves)
    f, g, o = jnp.split(t, 3)
    kept = sigmoid_of(f)
    after = kept * c + (1 - kept) * g
    phi = jnp.tanh(after)
    return (sigmoid_of(o) * phi, after), (t, c, phi)


def _backward(residuals, h, d_carry: Carry):
    t, c, phi = residuals
    d_h, d_c = d_carry
    f, g, o = jnp.split(t, 3)
    kept = sigmoid_of(f)
    d_c = d_c + d_h * sigmoid_of(o) * tanh_slope_of(phi)
    slopes = [
        d_c * (c - g) * sigmoid_slope_of(f),
        d_c * (1 - kept) * tanh_slope_of(g),
        d_h * phi * sigmoid_slope_of(o),
    ]
    return (jnp.zeros_like(d_h), d_c * kept), (jnp.concatenate(slopes),)


def _hidden(carry: Carry) -> jax.Array:
    return carry[0]


COUPLED_GATES = Gates(_forward, _backward, _hidden)
