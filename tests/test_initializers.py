"""Initialisers: the moments that their names promise."""

import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax import initializers
from nnjax.errors import UserError

FAN_IN, FAN_OUT = 300, 200
DEVIATIONS = {
    "normal": 1.0,
    "uniform": 0.05 / math.sqrt(3),
    "lecun_normal": math.sqrt(1 / FAN_IN),
    "lecun_uniform": math.sqrt(1 / FAN_IN),
    "glorot_normal": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "glorot_uniform": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "he_normal": math.sqrt(2 / FAN_IN),
    "he_uniform": math.sqrt(2 / FAN_IN),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_mean_and_deviation(name):
    drawn = initializers.by_name(name)(jax.random.key(0), (FAN_IN, FAN_OUT), jnp.float32)
    deviation = DEVIATIONS[name]
    # Of 60,000 draws the mean is known to 1/245 of the deviation, the deviation to 1/346.
    assert float(drawn.mean()) == pytest.approx(0, abs=5 * deviation / 245)
    assert float(drawn.std()) == pytest.approx(deviation, rel=5 / 346)
    if "uniform" in name:
        assert float(jnp.abs(drawn).max()) <= deviation * math.sqrt(3) * 1.001


def test_constants_and_rotations():
    key = jax.random.key(0)
    assert not initializers.by_name("zeros")(key, (3,), jnp.float32).any()
    assert initializers.by_name("ones")(key, (3,), jnp.float32).all()
    rotation = initializers.by_name("orthogonal")(key, (4, 4), jnp.float32)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-6)


def test_every_name_of_the_option_is_here():
    names = set(typing.get_args(initializers.Initializer))
    assert names == {*DEVIATIONS, "zeros", "ones", "orthogonal"}


def test_scale_multiplies_and_may_be_traced():
    key = jax.random.key(1)
    plain = initializers.by_name("he_normal")(key, (5, 4), jnp.float32)
    scaled = jax.jit(lambda s: initializers.by_name("he_normal", s)(key, (5, 4), jnp.float32))(3.0)
    np.testing.assert_allclose(scaled, 3 * plain, rtol=1e-6)


def test_a_function_passes_through_and_an_unknown_name_is_refused():
    assert initializers.by_name(jax.nn.initializers.ones) is jax.nn.initializers.ones
    with pytest.raises(UserError, match="did you mean 'glorot_uniform'"):
        initializers.by_name("glorot_unifrom")
