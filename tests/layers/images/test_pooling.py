"""Pooling against XLA's window reductions, in values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from nnjax.errors import UserError
from nnjax.layers.images.layout import swap
from nnjax.layers.images.maximum import first_maximum
from nnjax.layers.images.pooling import average_pool, global_average_pool, max_pool

few = settings(max_examples=15, deadline=None, derandomize=True)
windows = st.tuples(st.integers(1, 3), st.integers(1, 3))


def reduce_window(x, operation, start, window, strides):
    return lax.reduce_window(x, start, operation, (1, *window, 1), (1, *strides, 1), "VALID")


def values_and_gradients(functions, x):
    """The output of each function, and the gradient of a fixed weighting of it, in one program."""

    def compute(function, x):
        output, pull = jax.vjp(function, x)
        weights = np.random.default_rng(1).normal(size=output.shape).astype(np.float32)
        return output, pull(jnp.asarray(weights))[0]

    return jax.jit(lambda x: [compute(function, x) for function in functions])(x)


@few
@given(
    windows,
    st.none() | windows,
    st.tuples(st.integers(3, 8), st.integers(3, 8)),
    st.booleans(),
)
def test_equal_to_window_reductions(window, strides, size, ties):
    def largest(x):
        return reduce_window(x, lax.max, -jnp.inf, window, strides or window)

    def mean(x):
        return reduce_window(x, lax.add, 0.0, window, strides or window) / np.prod(window)

    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    # With ties, the gradient must go to the same one of equal maxima.
    x = jnp.asarray(np.round(x) if ties else x)
    pools = [functools.partial(f, window=window, strides=strides) for f in (max_pool, average_pool)]
    ours = values_and_gradients(pools, x)
    theirs = values_and_gradients([largest, mean], x)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strides", [None, (1, 1)])
@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_layouts_agree(pool, strides):
    x = jax.random.normal(jax.random.key(0), (4, 7, 6, 3))
    minor = pool(swap(x), (3, 2), strides, layout="CHWN")
    np.testing.assert_allclose(swap(minor), pool(x, (3, 2), strides), rtol=1e-6, atol=1e-7)


def test_gradient_goes_to_the_first_of_equal_maxima():
    x = jnp.zeros((1, 2, 4, 1)).at[0, 1, 2:].set(5.0)
    np.testing.assert_array_equal(
        jax.grad(lambda x: max_pool(x).sum())(x)[0, :, :, 0], [[1, 0, 0, 0], [0, 0, 1, 0]]
    )


def test_nan_is_never_hidden():
    for place in range(4):
        x = jnp.ones(4).at[place].set(jnp.nan).reshape(1, 2, 2, 1)
        assert jnp.isnan(max_pool(x)).all()


@pytest.mark.parametrize("axes", [(0,), (2, 0), (0, 3, 1)])
def test_first_maximum_over_any_axes(axes):
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 2))
    np.testing.assert_array_equal(first_maximum(x, axes), jnp.max(x, axes))
    ours = jax.grad(lambda x: jnp.sum(first_maximum(x, axes) ** 2))(x)
    theirs = jax.grad(lambda x: jnp.sum(jnp.max(x, axes) ** 2))(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_first_maximum_of_more_than_a_byte_can_count():
    x = jax.random.normal(jax.random.key(0), (300, 2))
    gradient = jax.grad(lambda x: first_maximum(x, (0,)).sum())(x)
    np.testing.assert_array_equal(jnp.argmax(gradient, axis=0), jnp.argmax(x, axis=0))


def test_global_average():
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    expected = np.asarray(x).mean((1, 2))
    np.testing.assert_allclose(global_average_pool(x), expected, rtol=1e-5, atol=1e-6)
    minor = global_average_pool(swap(x), layout="CHWN")
    np.testing.assert_allclose(minor, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_image_smaller_than_the_window_is_refused(pool):
    with pytest.raises(UserError, match="a 2x2 pooling window does not fit into a 1x5 image"):
        pool(jnp.zeros((1, 1, 5, 1)))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8])
def test_the_largest_of_whole_numbers(dtype):
    x = jnp.arange(16, dtype=dtype).reshape(1, 4, 4, 1)
    pooled = max_pool(x, (2, 2), (1, 1))
    assert pooled.dtype == dtype
    assert pooled[0, ..., 0].tolist() == [[5, 6, 7], [9, 10, 11], [13, 14, 15]]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_windows_that_overlap_have_gradients_within_jit(dtype):
    x = jnp.arange(25, dtype=dtype).reshape(1, 5, 5, 1)
    averages = jax.jit(jax.grad(lambda x: 9 * average_pool(x, (3, 3), (2, 2)).sum()))(x)
    edge, middle = [1, 1, 2, 1, 1], [2, 2, 4, 2, 2]
    expected = [edge, edge, middle, edge, edge]
    np.testing.assert_allclose(jnp.float32(averages[0, ..., 0]), expected, rtol=5e-3)
    maxima = jax.jit(jax.grad(lambda x: max_pool(x, (3, 3), (2, 2)).sum()))(x)
    assert maxima.dtype == dtype
    # The largest of each window is its last: 12, 14, 22 and 24.
    assert jnp.flatnonzero(maxima).tolist() == [12, 14, 22, 24]
