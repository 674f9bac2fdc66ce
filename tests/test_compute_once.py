"""Computed once: the same array, the same gradient, and no reader that computes it again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.compute_once import compute_once


@pytest.mark.parametrize("size", [1, 2, 7, 9])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.uint8])
def test_it_is_the_same_array(size, axis, dtype):
    shape = (size, 3) if axis == 0 else (3, size)
    x = jnp.arange(3 * size, dtype=dtype).reshape(shape)
    np.testing.assert_array_equal(jax.jit(compute_once, static_argnums=1)(x, axis), x)
    every = jax.vmap(lambda x: compute_once(x, axis))(jnp.stack([x, x + 1]))
    np.testing.assert_array_equal(every, jnp.stack([x, x + 1]))


def test_gradients_pass():
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)

    def f(x):
        return jnp.sum(jnp.tanh(compute_once(jnp.sin(x), 0)) ** 2)

    expected = jax.grad(lambda x: jnp.sum(jnp.tanh(jnp.sin(x)) ** 2))(x)
    np.testing.assert_allclose(jax.grad(f)(x), expected, rtol=1e-6)
    jax.test_util.check_grads(f, (x,), order=2, modes=("fwd", "rev"))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only on a CPU is anything done")
def test_readers_do_not_compute_it_again():
    """Of a gather that takes each number nine times, the sine is no part."""
    places = jnp.arange(8)[:, None] + jnp.arange(9)

    def program(hold):
        f = jax.jit(lambda x: hold(jnp.sin(x)).at[places].get(mode="promise_in_bounds"))
        return f.lower(jnp.zeros((16, 8))).compile().as_text()

    def computations_with_gather(text):
        return [part for part in text.split("\n\n") if " gather(" in part]

    assert any("sine(" in part for part in computations_with_gather(program(lambda x: x)))
    held = computations_with_gather(program(lambda x: compute_once(x, 0)))
    assert held
    assert not any("sine(" in part for part in held)


def test_a_batch_spread_over_devices_stays_where_it_is(assert_stays_spread):
    assert_stays_spread(lambda x: compute_once(x + 1, 1), (8, 6))
