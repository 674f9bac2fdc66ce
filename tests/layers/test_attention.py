"""Attention: masks, windows, caches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn
from jax.test_util import check_grads

from nnjax.errors import UserError
from nnjax.layers.attention import (
    AdditiveAttention,
    CausalSelfAttention,
    DotAttention,
    masked_softmax,
)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_masked_softmax_is_the_softmax_of_what_is_left():
    scores = normal(0, 3, 6).at[:, 4:].set(1e30)
    mask = jnp.arange(6) < 4
    weights = masked_softmax(scores, mask)
    np.testing.assert_allclose(weights[:, :4], jax.nn.softmax(scores[:, :4]), rtol=1e-6)
    np.testing.assert_array_equal(weights[:, 4:], 0)


def test_masked_softmax_of_nothing_is_zero_and_so_is_its_gradient():
    mask = jnp.array([[True, True, False], [False, False, False]])

    def total(scores):
        return jnp.sum(masked_softmax(scores, mask) * jnp.arange(3))

    scores = normal(0, 2, 3)
    np.testing.assert_array_equal(masked_softmax(scores, mask)[1], 0)
    gradient = jax.grad(total)(scores)
    assert jnp.all(jnp.isfinite(gradient))
    np.testing.assert_array_equal(gradient[1], 0)
    check_grads(total, (scores,), order=1, modes=["rev"], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", [DotAttention, AdditiveAttention])
def test_attention_over_a_memory_sees_what_the_mask_leaves(kind):
    layer, query, memory = kind(4), normal(0, 2, 3, 4), normal(1, 2, 5, 6)
    mask = jnp.arange(5) < jnp.array([[5], [2]])

    def attend(module, query, memory, mask):
        return module(query, module.keys(memory), memory, mask)

    variables = drawn(layer, query, memory, mask, method=attend)
    context, weights = apply(layer, variables, query, memory, mask, method=attend)
    assert (context.shape, weights.shape) == ((2, 3, 6), (2, 3, 5))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    np.testing.assert_array_equal(weights[1, :, 2:], 0)
    np.testing.assert_allclose(context, jnp.einsum("bts,bsi->bti", weights, memory), atol=1e-6)
    short, _ = apply(layer, variables, query[1:], memory[1:, :2], mask[1:, :2], method=attend)
    np.testing.assert_allclose(context[1:], short, rtol=1e-5, atol=1e-6)


def test_additive_scores_are_the_equation():
    layer, query, memory = AdditiveAttention(4), normal(0, 1, 1, 3), normal(1, 1, 2, 6)

    def attend(module, query, memory):
        return module(query, module.keys(memory), memory, jnp.ones((1, 2), bool))[1]

    variables = drawn(layer, query, memory, method=attend)
    params = variables["params"]
    hidden = query[0] @ params["query"]["kernel"].T + memory[0] @ params["key"]["kernel"].T
    scores = np.tanh(hidden + params["key"]["bias"]) @ params["score"]
    np.testing.assert_allclose(
        apply(layer, variables, query, memory, method=attend)[0, 0],
        jax.nn.softmax(scores[:, 0]),
        rtol=1e-5,
    )


@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize("rotary", [True, False])
def test_one_position_at_a_time_is_all_at_once(window, rotary):
    layer, x = CausalSelfAttention(8, 2, rotary, window, 0.5), normal(0, 2, 7, 8)
    variables = drawn(layer, x)
    cache = layer.apply(variables, 2, 7, jnp.float32, method="start")
    assert cache["key"].shape == (2, 2, min(7, window or 7), 4)
    whole = apply(layer, variables, x)
    for time in range(7):
        cache, y = apply(layer, variables, cache, x[:, time], jnp.int32(time), method="advance")
        np.testing.assert_allclose(y, whole[:, time], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("window", "seen"), [(None, [0, 1, 2, 3]), (2, [2, 3])])
def test_a_position_sees_those_before_it_within_the_window(window, seen):
    layer, x = CausalSelfAttention(4, 1, True, window, 0.5), normal(0, 1, 6, 4)
    variables = drawn(layer, x)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(layer.apply(variables, x)[0, 3])))(x)
    assert jnp.flatnonzero(jnp.any(gradient[0] != 0, axis=-1)).tolist() == seen


def test_heads_divide_the_features():
    with pytest.raises(UserError, match="10 features do not divide into 4 heads"):
        CausalSelfAttention(10, 4)
