"""Dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.errors import UserError
from nnjax.layers.dropout import Dropout, dropout

X = jnp.asarray(np.random.default_rng(0).normal(size=(200, 100)).astype(np.float32))


def test_elements_are_dropped_or_scaled():
    y = dropout(jax.random.key(0), X, 0.3)
    kept = np.asarray(y != 0)
    np.testing.assert_allclose(y[kept], X[kept] / 0.7, rtol=1e-6)
    # Five standard deviations of the mean of 20,000 draws.
    assert kept.mean() == pytest.approx(0.7, abs=5 * np.sqrt(0.3 * 0.7 / 20_000))


def test_evaluation_and_a_rate_of_zero_change_nothing():
    assert Dropout(0.5).apply({}, X, train=False) is X
    assert Dropout(0.0).apply({}, X, train=True) is X


def test_one_program_serves_every_rate():
    traces = []

    @jax.jit
    def program(rate):
        traces.append(rate)
        return Dropout(rate).apply({}, X, train=True, rngs={"dropout": jax.random.key(1)})

    for rate in (0.0, 0.2, 0.9):
        alone = Dropout(rate).apply({}, X, train=True, rngs={"dropout": jax.random.key(1)})
        np.testing.assert_allclose(program(rate), alone, rtol=1e-6)
    assert len(traces) == 1


def test_the_dtype_stays():
    assert dropout(jax.random.key(0), X.astype(jnp.bfloat16), 0.5).dtype == jnp.bfloat16


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.5])
def test_rates_that_are_no_probability_below_one_are_refused(rate):
    with pytest.raises(UserError, match="the dropout rate must be"):
        Dropout(rate)
