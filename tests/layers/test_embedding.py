"""Words as vectors."""

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.layers.embedding import Embedding

LAYER = Embedding(5, 3)
IDS = jnp.array([[0, 4, -1], [2, 2, 5]])


def one_hot(table, ids):
    return jax.nn.one_hot(ids, 5) @ table


def test_it_is_the_product_with_one_hot_vectors_and_so_is_its_gradient():
    variables = LAYER.init(jax.random.key(0), IDS)
    table = variables["params"]["kernel"]
    np.testing.assert_array_equal(LAYER.apply(variables, IDS), one_hot(table, IDS))
    cotangent = jax.random.normal(jax.random.key(1), (2, 3, 3))
    ours = jax.grad(lambda v: jnp.vdot(LAYER.apply(v, IDS), cotangent))(variables)
    expected = jax.grad(lambda t: jnp.vdot(one_hot(t, IDS), cotangent))(table)
    np.testing.assert_allclose(ours["params"]["kernel"], expected, rtol=1e-6)


def test_padding_and_unknown_ids_are_zero_vectors():
    variables = LAYER.init(jax.random.key(0), IDS)
    vectors = LAYER.apply(variables, IDS)
    np.testing.assert_array_equal(vectors[0, 2], 0)
    np.testing.assert_array_equal(vectors[1, 2], 0)


def test_scores_are_products_with_every_vector():
    variables = LAYER.init(jax.random.key(0), IDS)
    x = jax.random.normal(jax.random.key(1), (4, 3))
    scores = LAYER.apply(variables, x, method="scores")
    np.testing.assert_allclose(scores, x @ variables["params"]["kernel"].T, rtol=1e-6)


def test_the_dtype_is_that_of_the_parameters():
    variables = LAYER.init(jax.random.key(0), IDS)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
    assert LAYER.apply(half, IDS).dtype == jnp.bfloat16
