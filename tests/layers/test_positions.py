"""Rotary and learned positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.errors import UserError
from nnjax.layers.positions import LearnedPositions, rotate

X = jax.random.normal(jax.random.key(0), (2, 5, 3, 8))


def test_rotation_is_the_product_with_powers_of_i():
    positions = jnp.array([0, 1, 4, 7, 100])
    pairs = np.asarray(X[..., :4]) + 1j * np.asarray(X[..., 4:])
    angles = np.asarray(positions)[:, None, None] * 10_000.0 ** (-np.arange(4) / 4)
    expected = pairs * np.exp(1j * angles)
    rotated = rotate(X, positions)
    np.testing.assert_allclose(rotated[..., :4], expected.real, atol=1e-5)
    np.testing.assert_allclose(rotated[..., 4:], expected.imag, atol=1e-5)


def test_products_depend_on_differences_of_positions():
    def products(offset):
        positions = jnp.arange(5) + offset
        return jnp.einsum("btnd,bsnd->bnts", rotate(X, positions), rotate(2 * X, positions))

    np.testing.assert_allclose(products(0), products(37), atol=1e-4)


def test_heads_need_an_even_width():
    with pytest.raises(UserError, match="a head has 3"):
        rotate(jnp.zeros((1, 2, 1, 3)), jnp.arange(2))


def test_learned_positions_are_added():
    layer = LearnedPositions(6, 4)
    x = jnp.ones((2, 3, 4))
    variables = layer.init(jax.random.key(0), x, jnp.arange(3))
    added = layer.apply(variables, x, jnp.array([5, 0, 1])) - x
    kernel = variables["params"]["kernel"]
    assert kernel.shape == (6, 4)
    np.testing.assert_allclose(added[1], kernel[jnp.array([5, 0, 1])], atol=1e-6)
