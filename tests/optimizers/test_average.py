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


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.9999, 0.99999])
def test_the_first_average_is_exactly_what_the_first_update_led_to(decay):
    average = average_parameters(decay)
    params, update = {"w": jnp.array([3.0, -2.0])}, {"w": jnp.array([0.5, 100.0])}
    _, state = average.update(update, average.init(params), params)
    assert state.average["w"].tolist() == [3.5, 98.0]


def test_where_there_is_none_that_is_said():
    with pytest.raises(ValueError, match="no average"):
        find_average(optax.sgd(0.1).init({"w": jnp.ones(1)}))
