"""Parameter groups."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.errors import UserError
from nnjax.optimizers import SGD, Adam, Group
from nnjax.optimizers.groups import assign

PARAMS = {
    "hidden1": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.ones(2)},
    "output": {"kernel": jnp.full((2, 1), 3.0), "bias": jnp.ones(1)},
}
GRADIENTS = jax.tree.map(jnp.ones_like, PARAMS)
HEAD, REST = Group("output/*"), Group("*")


def step(optimizer):
    transformation = optimizer.build(PARAMS)
    update, state = transformation.update(GRADIENTS, transformation.init(PARAMS), PARAMS)
    return optax.apply_updates(PARAMS, update), state


def test_the_first_group_that_matches_takes_a_parameter():
    assert assign(PARAMS, (HEAD, REST)) == {
        "hidden1/bias": REST,
        "hidden1/kernel": REST,
        "output/bias": HEAD,
        "output/kernel": HEAD,
    }


def test_no_groups_are_one_of_everything():
    assert set(assign(PARAMS, ()).values()) == {Group("*")}


def test_every_parameter_must_be_covered():
    with pytest.raises(
        UserError, match=r"no group covers hidden1/bias, hidden1/kernel.*end with '\*'"
    ):
        SGD(groups=(HEAD,)).build(PARAMS)


def test_a_pattern_that_matches_nothing_is_refused():
    with pytest.raises(UserError, match="'outptu/kernel' matches no parameter, did you mean"):
        SGD(groups=(Group("outptu/kernel"), REST)).build(PARAMS)


def test_a_group_hidden_by_those_before_it_is_refused():
    with pytest.raises(UserError, match=r"'output/.' matches only parameters of the groups before"):
        SGD(groups=(REST, HEAD)).build(PARAMS)


def test_learning_rates_of_their_own():
    groups = (Group("output/*", learning_rate_scale=10.0), REST)
    after, _ = step(SGD(learning_rate=0.1, groups=groups))
    np.testing.assert_allclose(after["hidden1"]["kernel"], 1.9, rtol=1e-6)
    np.testing.assert_allclose(after["output"]["kernel"], 2.0, rtol=1e-6)
    np.testing.assert_allclose(after["output"]["bias"], 0.0, atol=1e-6)


def test_a_weight_decay_of_its_own_is_for_biases_too():
    groups = (Group("output/*", weight_decay=0.5), REST)
    after, _ = step(SGD(learning_rate=0.1, weight_decay=0.1, groups=groups))
    np.testing.assert_allclose(after["hidden1"]["kernel"], 2 - 0.1 * (1 + 0.2), rtol=1e-6)
    np.testing.assert_allclose(after["hidden1"]["bias"], 1 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(after["output"]["kernel"], 3 - 0.1 * (1 + 1.5), rtol=1e-6)
    np.testing.assert_allclose(after["output"]["bias"], 1 - 0.1 * (1 + 0.5), rtol=1e-6)


def test_frozen_parameters_stay_and_have_no_moments():
    groups = (Group("hidden1/*", frozen=True), REST)
    after, state = step(Adam(learning_rate=0.1, weight_decay=0.1, groups=groups))
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(after["hidden1"][name], PARAMS["hidden1"][name])
        assert (after["output"][name] != PARAMS["output"][name]).all()
    floats = [leaf.size for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.float32]
    assert sum(floats) == 2 * 3


def test_frozen_parameters_are_outside_the_norm_that_is_clipped():
    groups = (Group("hidden1/*", frozen=True), REST)
    after, _ = step(SGD(learning_rate=1.0, clip_norm=np.sqrt(3.0), groups=groups))
    np.testing.assert_allclose(after["output"]["kernel"], 2.0, rtol=1e-6)


def test_scales_may_be_traced():
    @jax.jit
    def program(scale):
        return step(SGD(learning_rate=0.1, groups=(Group("output/*", scale), REST)))[0]

    np.testing.assert_allclose(program(5.0)["output"]["kernel"], 2.5, rtol=1e-6)
    np.testing.assert_allclose(program(5.0)["hidden1"]["kernel"], 1.9, rtol=1e-6)


def test_values_out_of_range_are_refused():
    with pytest.raises(UserError, match="the learning rate scale must be at least 0, not -1"):
        Group("*", learning_rate_scale=-1)
