"""The network of one neuron."""

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.models import SingleNeuron


def test_two_inputs_make_three_parameters_and_start_at_zero():
    variables = SingleNeuron().init(jax.random.key(0), jnp.ones((1, 2)))
    leaves = jax.tree.leaves(variables)
    assert sum(leaf.size for leaf in leaves) == 3
    assert not any(leaf.any() for leaf in leaves)


def test_images_are_flattened_and_the_activation_applied():
    x = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(np.float32)
    model = SingleNeuron(activation="tanh", weights_init="normal", init_scale=0.5)
    variables = model.init(jax.random.key(0), x)
    expected = np.tanh(x.reshape(5, 4) @ variables["params"]["neuron"]["weights"])
    np.testing.assert_allclose(model.apply(variables, x), expected[:, None], rtol=1e-5)
