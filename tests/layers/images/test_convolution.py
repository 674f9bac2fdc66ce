"""Every formulation of the convolution equals XLA's own, in values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from nnjax.errors import UserError
from nnjax.layers.images.convolution import Conv, convolve, convolve_and_pool
from nnjax.layers.images.layout import swap
from nnjax.layers.images.pooling import max_pool

# Shapes differ from example to example, so compilation dominates: few examples, no deadline.
few = settings(max_examples=12, deadline=None, derandomize=True)


def arrays(image, kernel, batch=3, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(batch, *image)).astype(np.float32)
    k = generator.normal(size=kernel).astype(np.float32) / np.sqrt(np.prod(kernel[:3]))
    return jnp.asarray(x), jnp.asarray(k, jnp.float32)


def value_and_gradients(function, *arguments):
    """The output, and the gradient of a fixed weighting of it by each argument, in one program."""

    @jax.jit
    def compute(*arguments):
        output, pull = jax.vjp(function, *arguments)
        weights = np.random.default_rng(1).normal(size=output.shape).astype(np.float32)
        return output, *pull(jnp.asarray(weights, output.dtype))

    return compute(*arguments)


def assert_same(ours, theirs, rtol=1e-5, atol=1e-5):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@st.composite
def geometries(draw):
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    image = tuple(k + draw(st.integers(0, 6)) for k in kernel)
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    channels, features = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 4))
    padding = draw(st.sampled_from(["VALID", "SAME"]))
    return (*image, channels), (*kernel, channels, features), strides, padding


@few
@given(geometries())
def test_patches_equal_lax(geometry):
    image, kernel, strides, padding = geometry
    x, k = arrays(image, kernel)
    results = [
        value_and_gradients(
            functools.partial(convolve, strides=strides, padding=padding, formulation=how),
            x,
            k,
        )
        for how in ("patches", "lax")
    ]
    assert_same(*results)


@few
@given(geometries(), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_pooling_within_the_convolution_equals_pooling_after_it(geometry, window):
    image, kernel, _, padding = geometry
    image = (image[0] + window[0] - 1, image[1] + window[1] - 1, image[2])
    x, k = arrays(image, kernel)
    together = functools.partial(
        convolve_and_pool, window=window, padding=padding, formulation="patches"
    )

    def apart(x, k):
        return max_pool(convolve(x, k, padding=padding, formulation="lax"), window)

    assert_same(value_and_gradients(together, x, k), value_and_gradients(apart, x, k))


@pytest.mark.parametrize("channels", [1, 6])
def test_pooling_within_the_convolution_of_few_and_of_many_channels(channels):
    x, k = arrays((9, 8, channels), (3, 3, channels, 4))
    together = functools.partial(convolve_and_pool, window=(2, 2), formulation="patches")
    apart = functools.partial(convolve_and_pool, window=(2, 2), formulation="lax")
    assert_same(value_and_gradients(together, x, k), value_and_gradients(apart, x, k))


@pytest.mark.parametrize("formulation", ["patches", "lax"])
def test_layouts_agree(formulation):
    x, k = arrays((7, 6, 3), (3, 2, 3, 4))
    major = convolve(x, k, (2, 1), "SAME", formulation)
    minor = convolve(swap(x), k, (2, 1), "SAME", formulation, layout="CHWN")
    np.testing.assert_allclose(swap(minor), major, rtol=1e-6, atol=1e-6)


def test_convolution_by_hand():
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    k = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    # 0*1 + 1*2 + 3*3 + 4*4 = 27, and 10 more for a step to the right, 30 for a step down.
    np.testing.assert_array_equal(convolve(x, k)[0, :, :, 0], [[27, 37], [57, 67]])


def test_population_of_kernels():
    x, _ = arrays((6, 6, 2), (1, 1, 1, 1))
    kernels = jnp.stack([arrays((1,), (3, 3, 2, 4), seed=seed)[1] for seed in range(3)])

    def loss(k):
        return jnp.sum(convolve_and_pool(x, k, (2, 2), formulation="patches") ** 2)

    one = jax.value_and_grad(loss)
    together, one = jax.jit(jax.vmap(one))(kernels), jax.jit(one)
    for index, kernel in enumerate(kernels):
        assert_same([leaf[index] for leaf in together], one(kernel), rtol=1e-5, atol=1e-4)


def test_bfloat16_is_kept_and_near_float32():
    x, k = arrays((8, 8, 3), (3, 3, 3, 4))
    pool = functools.partial(convolve_and_pool, window=(2, 2), formulation="patches")
    exact, half = jax.jit(pool)(x, k), jax.jit(pool)(x.astype(jnp.bfloat16), k)
    assert half.dtype == jnp.bfloat16
    # Eight bits of significand, on sums of 27 products of order 1.
    np.testing.assert_allclose(half.astype(jnp.float32), exact, atol=0.04)
    gradient = jax.eval_shape(jax.grad(lambda k: jnp.float32(pool(jnp.bfloat16(x), k)).sum()), k)
    assert gradient.dtype == jnp.float32


def test_forward_mode_and_second_derivatives():
    x, k = arrays((6, 6, 2), (3, 3, 2, 2))

    def hessian_times(formulation):
        def loss(k):
            return jnp.sum(jnp.tanh(convolve_and_pool(x, k, (2, 2), formulation=formulation)) ** 2)

        return jax.jit(lambda k: jax.jvp(jax.grad(loss), (k,), (jnp.ones_like(k),)))(k)

    assert_same(hessian_times("patches"), hessian_times("lax"), rtol=1e-4, atol=1e-4)


def gradient_of_sum_of_squares(x, k):
    def loss(k):
        return jnp.sum(convolve_and_pool(x, k, (2, 2), "SAME", "patches") ** 2)

    return jax.grad(loss)(k)


def test_split_over_devices_by_jit_shard_map_and_pmap():
    x, k = arrays((6, 6, 3), (3, 3, 3, 4), batch=8)
    expected = jax.jit(gradient_of_sum_of_squares)(x, k)
    mesh = Mesh(np.array(jax.devices()), ("data",))
    split = jax.device_put(x, NamedSharding(mesh, P("data")))
    by_jit = jax.jit(gradient_of_sum_of_squares)(split, k)

    def varying(x, k):
        k = jax.lax.pcast(k, "data", to="varying")
        return jax.lax.psum(gradient_of_sum_of_squares(x, k), "data")

    specs = {"mesh": mesh, "in_specs": (P("data"), P()), "out_specs": P()}
    by_varying = jax.jit(jax.shard_map(varying, **specs))(x, k)
    # Of a replicated kernel the gradient is the sum over the devices already.
    by_replicated = jax.jit(jax.shard_map(gradient_of_sum_of_squares, **specs))(x, k)
    by_pmap = jax.pmap(gradient_of_sum_of_squares, in_axes=(0, None))(x.reshape(4, 2, 6, 6, 3), k)
    for gradient in (by_jit, by_varying, by_replicated, by_pmap.sum(0)):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-4)


def test_layer_has_the_same_parameters_in_every_formulation_and_layout():
    x, _ = arrays((6, 5, 3), (1, 1, 1, 1))
    layer = Conv(4, (3, 2), bias_init="normal", formulation="lax")
    variables = layer.init(jax.random.key(0), x)
    shapes = jax.tree.map(jnp.shape, variables["params"])
    assert shapes == {"kernel": (3, 2, 3, 4), "bias": (4,)}
    expected = jax.jit(layer.apply)(variables, x)
    patches = layer.clone(formulation="patches")
    y = jax.jit(patches.apply)(variables, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    minor = jax.jit(patches.clone(layout="CHWN").apply)(variables, swap(x))
    np.testing.assert_allclose(swap(minor), expected, rtol=1e-5, atol=1e-6)
    pooled = jax.jit(patches.clone(pool=(2, 2)).apply)(variables, x)
    np.testing.assert_allclose(pooled, max_pool(expected), rtol=1e-5, atol=1e-6)


def test_layer_without_bias_and_with_scaled_kernels():
    x, _ = arrays((4, 4, 1), (1, 1, 1, 1))
    layer = Conv(2, (3, 3), use_bias=False)
    scaled = layer.clone(init_scale=3.0)
    key = jax.random.key(0)
    kernel, larger = layer.init(key, x)["params"], scaled.init(key, x)["params"]
    assert set(kernel) == {"kernel"}
    np.testing.assert_allclose(larger["kernel"], 3 * kernel["kernel"], rtol=1e-6)


@pytest.mark.parametrize("formulation", ["patches", "lax"])
def test_image_smaller_than_the_kernel_is_refused(formulation):
    x, k = arrays((4, 3, 1), (5, 5, 1, 2))
    with pytest.raises(UserError, match="a 5x5 kernel does not fit into a 4x3 image"):
        convolve(x, k, formulation=formulation)
    assert convolve(x, k, padding="SAME", formulation=formulation).shape == (3, 4, 3, 2)


@pytest.mark.parametrize("formulation", ["patches", "lax"])
def test_result_smaller_than_the_pooling_window_is_refused(formulation):
    x, k = arrays((5, 9, 1), (5, 5, 1, 2))
    with pytest.raises(UserError, match="a 2x2 pooling window does not fit into a 1x5 image"):
        convolve_and_pool(x, k, (2, 2), formulation=formulation)


def test_pool_with_strides_is_refused():
    x, _ = arrays((9, 9, 1), (1, 1, 1, 1))
    with pytest.raises(UserError, match="strides of 1"):
        Conv(2, (3, 3), strides=(2, 2), pool=(2, 2)).init(jax.random.key(0), x)
