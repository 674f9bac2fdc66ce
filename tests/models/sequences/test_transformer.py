"""The decoder-only transformer."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.models import Transformer

MODEL = Transformer(layers=2, heads=2, features=8, vocabulary=7)
TOKENS = jax.random.randint(jax.random.key(0), (3, 9), 0, 7)


def fitted(model):
    return drawn(model, TOKENS, scale=0.4)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, 0),
        ({"tied": False}, 8 * 7 + 7),
        ({"positions": "learned", "length": 20}, 20 * 8),
        ({"mlp_features": 5}, 2 * (2 * 8 * 5 + 5 - 2 * 8 * 32 - 32)),
    ],
)
def test_the_number_of_parameters_is_the_formula(changes, more):
    model = dataclasses.replace(MODEL, **changes)
    variables = jax.eval_shape(model.init, jax.random.key(0), TOKENS)
    layers, d, m, words = 2, 8, 32, 7
    formula = words * d + layers * (4 * d * d + 2 * d * m + 9 * d + m) + 2 * d
    assert parameters.count(variables["params"]) == formula + more


def test_gpt2_has_as_many_parameters_as_published():
    model = Transformer(12, 12, 768, vocabulary=50_257, positions="learned", length=1024)
    variables = jax.eval_shape(model.init, jax.random.key(0), TOKENS)
    assert parameters.count(variables["params"]) == 124_439_808


@pytest.mark.parametrize(
    "changes", [{}, {"positions": "learned", "tied": False, "length": 9}, {"window": 3}]
)
def test_cached_logits_are_those_of_the_whole(changes):
    model = dataclasses.replace(MODEL, **changes)
    variables = fitted(model)
    whole = apply(model, variables, TOKENS)
    carry = model.apply(variables, 3, 9, method="start")
    for time in range(9):
        carry, logits = apply(model, variables, carry, TOKENS[:, time], method="advance")
        np.testing.assert_allclose(logits, whole[:, time], rtol=1e-4, atol=1e-5)


def test_no_position_sees_a_later_one_nor_padding():
    variables = fitted(MODEL)
    whole = apply(MODEL, variables, TOKENS)
    np.testing.assert_allclose(apply(MODEL, variables, TOKENS[:, :4]), whole[:, :4], atol=1e-5)
    padded = TOKENS.at[:, 4:].set(-1)
    np.testing.assert_allclose(apply(MODEL, variables, padded)[:, :4], whole[:, :4], atol=1e-5)
    last = dataclasses.replace(MODEL, last_only=True)
    np.testing.assert_allclose(apply(last, variables, padded), whole[:, 3], atol=1e-5)


def test_the_order_of_words_matters():
    for positions in ("rotary", "learned"):
        model = dataclasses.replace(MODEL, positions=positions, layers=1)
        variables = fitted(model)
        one, other = (jnp.array([row]) for row in ([1, 2, 3], [2, 1, 3]))
        assert not np.allclose(
            apply(model, variables, one)[:, -1], apply(model, variables, other)[:, -1], atol=1e-3
        )


def test_remat_changes_no_gradient():
    variables = fitted(MODEL)

    def gradient(model):
        return jax.jit(jax.grad(lambda v: jnp.sum(model.apply(v, TOKENS) ** 2)))(variables)

    plain, again = gradient(MODEL), gradient(dataclasses.replace(MODEL, remat=True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), plain, again)


def test_texts_longer_than_the_learned_positions_are_refused():
    model = dataclasses.replace(MODEL, positions="learned", length=8)
    with pytest.raises(UserError, match="a text of 9 words is longer than the 8 learned positions"):
        model.init(jax.random.key(0), TOKENS)
