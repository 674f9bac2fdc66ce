"""Computed once: the same arrays, the same gradients, and no reader that computes them again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from jax.test_util import check_grads

from nnjax.compute_once import compute_once

ON_CPU = pytest.mark.skipif(jax.default_backend() != "cpu", reason="only on a CPU is anything done")
PLACES = jnp.arange(8)[:, None] + jnp.arange(9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.uint8])
def test_it_is_what_the_function_gives(dtype):
    x, y = jnp.arange(6, dtype=dtype), jnp.arange(3, dtype=dtype)[:, None]

    def f(x, y):
        return (x + 2 * y)[:, ::2]

    def once(x, y):
        return compute_once(f, x, y)

    np.testing.assert_array_equal(once(x, y), f(x, y))
    np.testing.assert_array_equal(jax.jit(once)(x, y), f(x, y))
    pairs = jnp.stack([x, x + 1])
    np.testing.assert_array_equal(jax.vmap(once, (0, None))(pairs, y), [f(x, y), f(x + 1, y)])


def test_gradients_pass():
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)

    def f(x):
        return jnp.sum(jnp.tanh(compute_once(jnp.sin, x)) ** 2)

    expected = jax.grad(lambda x: jnp.sum(jnp.tanh(jnp.sin(x)) ** 2))(x)
    np.testing.assert_allclose(jax.jit(jax.grad(f))(x), expected, rtol=1e-6)
    check_grads(jax.jit(f), (x,), order=2, modes=("fwd", "rev"))


@ON_CPU
def test_what_goes_in_is_not_computed_again():
    """Of a gather that takes each number nine times, the sine is no part."""

    def program(hold):
        f = jax.jit(lambda x: hold(lambda y: y.at[PLACES].get(mode="clip"), jnp.sin(x)))
        return f.lower(jnp.zeros((16, 8))).compile().as_text()

    assert any("sine(" in part for part in _computations_with_gather(program(_plainly)))
    parts = _computations_with_gather(program(compute_once))
    assert parts
    assert not any("sine(" in part for part in parts)


@ON_CPU
def test_what_comes_out_keeps_its_shape():
    """The matrix that a product needs is no shape of the gather's own loops."""

    def program(hold):
        def f(x, kernel):
            gathered = hold(lambda x: x.at[PLACES].get(mode="clip"), x)
            return gathered.reshape(8, -1) @ kernel

        return jax.jit(f).lower(jnp.zeros((16, 128)), jnp.ones((9 * 128, 64))).compile().as_text()

    matrix = "-> f32[8,1152]"
    assert any(matrix in part for part in _computations_with_gather(program(_plainly)))
    parts = _computations_with_gather(program(compute_once))
    assert parts
    assert not any(matrix in part for part in parts)


@pytest.mark.parametrize(("platform", "held"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_only_a_program_for_a_cpu_is_held(platform, held):
    """The platform that counts is that of the program, whatever machine lowers it."""
    traced = jax.jit(lambda x: compute_once(jnp.sin, x)).trace(jnp.zeros(4))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("optimization_barrier" in text) == held


def test_each_device_computes_its_own():
    mesh = Mesh(np.array(jax.devices()[:4]), ("devices",))
    spec = PartitionSpec("devices")
    f = jax.shard_map(lambda x: compute_once(jnp.sin, x), mesh=mesh, in_specs=spec, out_specs=spec)
    x = jnp.linspace(-1, 1, 8)
    np.testing.assert_allclose(jax.jit(f)(x), jnp.sin(x), rtol=1e-6)


def test_a_batch_spread_over_devices_stays_where_it_is(assert_stays_spread):
    assert_stays_spread(lambda x: compute_once(lambda x: x + 1, x), (8, 6))


def _plainly(f, *operands):
    return f(*operands)


def _computations_with_gather(text):
    return [part for part in text.split("\n\n") if " gather(" in part]
