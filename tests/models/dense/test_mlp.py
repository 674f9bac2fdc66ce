"""The multi-layer perceptron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from nnjax.errors import UserError
from nnjax.models import MLP

IMAGES = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)


def count(model, inputs):
    key = jax.eval_shape(lambda: jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, key, inputs)))


@pytest.mark.parametrize(
    ("features", "parameters"), [((30,), 23_860), ((512,), 407_050), ((), 7_850)]
)
def test_published_parameter_counts(features, parameters):
    assert count(MLP(features=features, outputs=10), IMAGES) == parameters


def test_it_is_the_equations():
    model = MLP(features=(4, 3), outputs=2, activation="relu", output_activation="sigmoid")
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    variables = model.init(jax.random.key(0), x)
    a = x.reshape(5, 6)
    for name in ("hidden1", "hidden2"):
        layer = variables["params"][name]
        a = np.maximum(a @ layer["kernel"].T + layer["bias"], 0)
    z = a @ variables["params"]["output"]["kernel"].T
    np.testing.assert_allclose(model.apply(variables, x), 1 / (1 + np.exp(-z)), rtol=1e-5)


def test_dropout_acts_in_training_alone():
    model = MLP(features=(50,), outputs=1, dropout=0.5)
    x = jnp.ones((3, 4))
    variables = model.init(jax.random.key(0), x)
    keys = [{"dropout": jax.random.key(seed)} for seed in (1, 2)]
    trained = [model.apply(variables, x, train=True, rngs=rngs) for rngs in keys]
    assert not np.allclose(*trained)
    np.testing.assert_array_equal(
        *[model.apply(variables, x, train=False, rngs=rngs) for rngs in keys]
    )


def test_gradients():
    model = MLP(features=(3,), outputs=2)
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    params = model.init(jax.random.key(0), x)["params"]
    check_grads(lambda p: model.apply({"params": p}, x), (params,), order=1, rtol=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": (30, 0)}, "the width of a hidden layer must be at least 1, not 0"),
        ({"features": (-5,)}, "the width of a hidden layer must be at least 1, not -5"),
        ({"outputs": 0}, "the number of outputs must be at least 1, not 0"),
        ({"dropout": 1.0}, "the dropout rate must be below 1, not 1.0"),
        ({"dropout": -0.5}, "the dropout rate must be at least 0, not -0.5"),
    ],
)
def test_sizes_and_rates_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        MLP(**options)


def test_an_unknown_activation_is_refused():
    with pytest.raises(UserError, match="unknown activation 'relux', did you mean 'relu'"):
        MLP(activation="relux").init(jax.random.key(0), jnp.ones((1, 2)))


@pytest.mark.parametrize(("platform", "held"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_only_a_program_for_a_cpu_has_the_barrier(platform, held):
    """The platform that counts is that of the program, whatever machine lowers it."""
    model, x = MLP((3,), outputs=2), jnp.ones((2, 4))
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    text = jax.jit(model.apply).trace(params, x).lower(lowering_platforms=(platform,)).as_text()
    assert ("optimization_barrier" in text) == held
