"""The average of the parameters."""

import jax.numpy as jnp
import optax
import pytest

from nnjax.optimizers.average import average_parameters, find_average


def test_it_is_found_inside_other_states():
    params = {"w": jnp.array([1.0, 2.0])}
    chain = optax.chain(optax.scale_by_adam(), optax.chain(average_parameters(0.9)))
    assert find_average(chain.init(params))["w"].tolist() == [1.0, 2.0]


def test_updates_pass_through():
    params, update = {"w": jnp.array([1.0])}, {"w": jnp.array([0.5])}
    average = average_parameters(0.9)
    passed, state = average.update(update, average.init(params), params)
    assert passed is update
    assert float(state.average["w"][0]) == pytest.approx(1.5)
    assert int(state.count) == 1


def test_where_there_is_none_that_is_said():
    with pytest.raises(ValueError, match="no average"):
        find_average(optax.sgd(0.1).init({"w": jnp.ones(1)}))
