"""The neuron."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax import initializers
from nnjax.layers.neuron import Neuron


def test_it_fires_where_the_weighted_sum_reaches_the_threshold():
    params = {"weights": jnp.array([1.0, -2.0]), "bias": jnp.array(0.5)}
    x = jnp.array([[1.5, 1.0], [1.4, 1.0], [0.0, 0.0]])
    fired = Neuron("threshold").apply({"params": params}, x)
    assert fired.tolist() == [[1.0], [0.0], [1.0]]


def test_the_sigmoid_neuron_and_its_parameters():
    variables = Neuron("sigmoid", "normal").init(jax.random.key(0), jnp.ones((1, 3)))
    params = variables["params"]
    assert {name: leaf.shape for name, leaf in params.items()} == {"weights": (3,), "bias": ()}
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    expected = 1 / (1 + np.exp(-(x @ params["weights"])))
    got = Neuron("sigmoid").apply(variables, x)
    np.testing.assert_allclose(got, expected[:, None], rtol=1e-5)


@pytest.mark.parametrize("name", get_args(initializers.Initializer))
def test_every_initialiser_draws_weights(name):
    """Some count inputs and outputs, which a vector would not tell them."""
    params = Neuron(weights_init=name).init(jax.random.key(0), jnp.ones((1, 600)))["params"]
    assert params["weights"].shape == (600,)
    if name == "glorot_uniform":
        bound = np.sqrt(6 / (600 + 1))
        assert 0.98 * bound < np.abs(params["weights"]).max() <= bound
