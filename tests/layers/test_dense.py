"""The dense layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from nnjax.errors import UserError
from nnjax.layers.dense import Dense

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def test_it_is_an_affine_map():
    layer = Dense(5, bias_init="normal")
    variables = layer.init(jax.random.key(0), X)
    kernel, bias = variables["params"]["kernel"], variables["params"]["bias"]
    assert (kernel.shape, bias.shape) == ((5, 3), (5,))
    np.testing.assert_allclose(layer.apply(variables, X), X @ kernel.T + bias, rtol=1e-5, atol=1e-6)


def test_the_initialiser_counts_the_inputs_of_each_output():
    wide = Dense(4, kernel_init="lecun_normal").init(jax.random.key(0), jnp.ones((1, 10_000)))
    # The deviation is sqrt(1 / inputs); of 40,000 draws it is known to 1/283.
    assert float(wide["params"]["kernel"].std()) == pytest.approx(0.01, rel=5 / 283)


def test_leading_axes_are_kept():
    layer = Dense(5)
    x = jnp.asarray(np.stack([X, X + 1]))
    variables = layer.init(jax.random.key(0), x)
    y = layer.apply(variables, x)
    assert y.shape == (2, 4, 5)
    np.testing.assert_allclose(y[0], layer.apply(variables, X), rtol=1e-6)


def test_without_a_bias_there_is_none():
    assert set(Dense(5, use_bias=False).init(jax.random.key(0), X)["params"]) == {"kernel"}


def test_bfloat16_inputs_give_bfloat16_on_float32_parameters():
    layer = Dense(5)
    variables = layer.init(jax.random.key(0), jnp.asarray(X, jnp.bfloat16))
    assert variables["params"]["kernel"].dtype == jnp.float32
    assert layer.apply(variables, jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


def test_gradients():
    layer = Dense(2)
    params = layer.init(jax.random.key(0), X)["params"]
    check_grads(
        lambda p, x: jnp.tanh(layer.apply({"params": p}, x)), (params, X), order=1, rtol=1e-2
    )


@pytest.mark.parametrize("features", [0, -3])
def test_a_layer_of_no_outputs_is_refused(features):
    with pytest.raises(UserError, match=f"must be at least 1, not {features}"):
        Dense(features)
