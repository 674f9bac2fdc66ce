"""A batch in parts: as the whole, and where it was."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.layers.images.parts import count_parts, in_parts
from nnjax.models import CNN


@pytest.mark.parametrize(
    ("batch", "parts"), [(1, 1), (64, 1), (128, 2), (132, 1), (192, 3), (256, 4), (2048, 8)]
)
def test_in_parts_is_as_the_whole(batch, parts):
    sizes = []

    def f(x):
        sizes.append(len(x))
        return jnp.stack([x.sum(1), x[:, 0]], axis=1)

    def g(y):
        sizes.append(len(y))
        return jnp.concatenate([y, y[:, :1] * 2], axis=1)

    x = jnp.arange(3.0 * batch).reshape(batch, 3)
    np.testing.assert_array_equal(in_parts(f, g, x), g(f(x)))
    assert sizes == [batch // parts] * parts + [batch] * 3
    assert count_parts(batch) == parts


def test_a_convolutional_network_in_parts_has_the_gradients_of_the_whole():
    model = CNN(features=(4,), kernel_sizes=(3,), hidden=(5,), outputs=3)
    x = jax.random.normal(jax.random.key(0), (128, 8, 8))
    variables = jax.jit(model.init)(jax.random.key(1), x)

    def loss(variables, batches):
        return sum(jnp.sum(model.apply(variables, one, train=True) ** 2) for one in batches)

    measure = jax.jit(jax.value_and_grad(loss))
    ours, expected = measure(variables, [x]), measure(variables, jnp.split(x, 8))
    for one, other in zip(*map(jax.tree.leaves, (ours, expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-5)


def test_parts_drop_units_of_their_own():
    model = CNN(features=(4,), kernel_sizes=(3,), hidden=(), outputs=3, dropout=0.5)
    x = jnp.broadcast_to(jax.random.normal(jax.random.key(0), (8, 8)), (128, 8, 8))
    variables = jax.jit(model.init)(jax.random.key(1), x)
    draw = jax.jit(lambda key: model.apply(variables, x, train=True, rngs={"dropout": key}))
    y = draw(jax.random.key(2))
    assert len(np.unique(np.asarray(y), axis=0)) > 120
