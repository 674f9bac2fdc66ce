"""Drawing words from logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.errors import UserError
from nnjax.generation.sampling import Sampling, keep_top_k, keep_top_p

LOGITS = jnp.log(jnp.array([[0.5, 0.3, 0.15, 0.05]]))


def kept(logits):
    return np.isfinite(np.asarray(logits))[0].tolist()


def draws(sampling, logits, count=4000):
    keys = jax.random.split(jax.random.key(0), count)
    return np.asarray(sampling(keys, jnp.tile(logits, (count, 1))))


@pytest.mark.parametrize(("k", "expected"), [(1, 1), (3, 3), (4, 4), (9, 4)])
def test_top_k_keeps_the_k_likeliest(k, expected):
    assert kept(keep_top_k(LOGITS[:, ::-1], k)) == [False] * (4 - expected) + [True] * expected


@pytest.mark.parametrize(("p", "expected"), [(0.01, 1), (0.49, 1), (0.6, 2), (0.9, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_that_have_the_probability(p, expected):
    assert kept(keep_top_p(LOGITS, p)) == [True] * expected + [False] * (4 - expected)


def test_top_p_of_1_keeps_all_of_many_words():
    """Their probabilities, added up, reach 1 before the last."""
    logits = jax.random.normal(jax.random.key(0), (4, 50_000))
    assert all(kept(keep_top_p(logits, 1.0).reshape(1, -1)))


@settings(max_examples=25)
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=12, unique=True), st.floats(0.01, 0.999))
def test_top_p_is_the_smallest_such_set(values, p):
    logits = np.array([values], np.float32) / 4
    probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum()
    chosen = np.array(kept(keep_top_p(jnp.asarray(logits), p)))
    assert probabilities[chosen].sum() >= p - 1e-6
    assert probabilities[chosen].sum() - probabilities[chosen].min() <= p + 1e-6
    if not chosen.all():
        assert probabilities[chosen].min() >= probabilities[~chosen].max()


def test_draws_follow_the_distribution():
    shares = np.bincount(draws(Sampling(), LOGITS), minlength=4) / 4000
    np.testing.assert_allclose(shares, np.exp(LOGITS[0]), atol=0.03)


def test_a_temperature_sharpens():
    shares = np.bincount(draws(Sampling(temperature=0.5), LOGITS), minlength=4) / 4000
    squared = np.exp(LOGITS[0]) ** 2
    np.testing.assert_allclose(shares, squared / squared.sum(), atol=0.03)


def test_top_k_comes_before_top_p():
    # Of the two likeliest, 0.625 and 0.375, the first alone has 0.6.
    assert set(draws(Sampling(top_k=2, top_p=0.6), LOGITS, 200)) == {0}
    assert set(draws(Sampling(top_p=0.6), LOGITS, 200)) == {0, 1}


def test_no_temperature_is_greedy():
    assert set(draws(Sampling(temperature=0), LOGITS[:, ::-1], 5)) == {3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "the temperature must be at least 0, not -1"),
        ({"top_k": 0}, "top_k must be at least 1, not 0"),
        ({"top_p": 0.0}, "top_p must be above 0, not 0"),
        ({"top_p": 1.5}, "top_p must be below 1, not 1.5"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Sampling(**options)


def test_the_smallest_temperature_takes_the_likeliest():
    logits = 30 * jax.random.normal(jax.random.key(0), (20, 9))
    keys = jax.random.split(jax.random.key(1), 20)
    np.testing.assert_array_equal(Sampling(1e-40)(keys, logits), Sampling(0)(keys, logits))
