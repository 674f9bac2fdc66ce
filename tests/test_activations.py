"""Activations: values against their formulas, gradients against finite differences."""

import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from nnjax import activations
from nnjax.errors import UserError

X = np.array([-3.0, -0.5, 0.0, 0.25, 2.0], np.float32)
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
NORMAL = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in X])

EXPECTED = {
    "identity": X,
    "threshold": np.array([0.0, 0.0, 1.0, 1.0, 1.0]),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "tanh": np.tanh(X),
    "relu": np.maximum(X, 0),
    "leaky_relu": np.where(X >= 0, X, 0.01 * X),
    "elu": np.where(X >= 0, X, np.exp(X) - 1),
    "selu": SELU_SCALE * np.where(X >= 0, X, SELU_ALPHA * (np.exp(X) - 1)),
    "softplus": np.log1p(np.exp(X)),
    "gelu": X * NORMAL,
    "silu": X / (1 + np.exp(-X)),
    "softmax": np.exp(X) / np.exp(X).sum(),
}


def test_every_name_of_the_option_is_here():
    assert set(typing.get_args(activations.Activation)) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_values(name):
    got = activations.by_name(name)(jnp.asarray(X))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, EXPECTED[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "threshold"])
def test_gradients(name):
    # Away from 0, where some have a kink.
    points = jnp.array([-2.0, -0.7, 0.6, 1.5])
    check_grads(activations.by_name(name), (points,), order=1, modes=["fwd", "rev"], rtol=1e-2)


def test_the_threshold_has_no_gradient():
    assert not jax.grad(lambda x: activations.threshold(x).sum())(jnp.asarray(X)).any()


def test_softmax_normalises_the_last_axis():
    got = activations.by_name("softmax")(jnp.arange(6.0).reshape(2, 3))
    np.testing.assert_allclose(got.sum(-1), [1.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_bfloat16_stays_bfloat16(name):
    assert activations.by_name(name)(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


def test_a_function_passes_through_and_an_unknown_name_is_refused():
    assert activations.by_name(jnp.sin) is jnp.sin
    with pytest.raises(UserError, match="unknown activation 'rellu', did you mean 'relu'"):
        activations.by_name("rellu")
