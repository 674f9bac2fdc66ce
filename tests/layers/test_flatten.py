"""Flattening."""

import jax.numpy as jnp

from nnjax.layers.flatten import flatten


def test_the_last_axis_runs_fastest():
    x = jnp.arange(24).reshape(2, 3, 4)
    assert flatten(x)[1].tolist() == list(range(12, 24))


def test_vectors_stay_and_numbers_become_vectors():
    assert flatten(jnp.ones((2, 5))).shape == (2, 5)
    assert flatten(jnp.ones(3)).shape == (3, 1)
    assert flatten(jnp.ones((0, 2, 2))).shape == (0, 4)
