"""Schedules of the learning rate."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax import schedules
from nnjax.errors import UserError
from nnjax.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Schedule, Step

EVERY = [
    Constant(steps=20),
    Step(steps=20),
    Exponential(steps=20),
    Linear(steps=20, end_factor=0.1),
    Cosine(steps=20, end_factor=0.1),
    OneCycle(steps=20),
]
IDS = [type(schedule).__name__ for schedule in EVERY]


def test_the_names_are_complete():
    assert set(schedules.NAMES.values()) == {type(schedule) for schedule in EVERY}


@pytest.mark.parametrize("schedule", EVERY, ids=IDS)
def test_a_factor_has_the_shape_of_the_step_and_is_float32(schedule):
    steps = jnp.arange(6, dtype=jnp.int32).reshape(2, 3)
    factors = schedule(steps)
    assert factors.shape == (2, 3)
    assert factors.dtype == jnp.float32
    assert schedule(jnp.int32(4)).shape == ()
    assert float(factors[1, 1]) == pytest.approx(float(jax.jit(schedule)(4)), rel=1e-6)


@pytest.mark.parametrize("schedule", EVERY[3:], ids=IDS[3:])
def test_past_its_end_a_schedule_stays(schedule):
    assert float(schedule(20)) == pytest.approx(float(schedule(500)), rel=1e-6)


def test_constant_is_one():
    assert Constant()(jnp.arange(5)).tolist() == [1.0] * 5
    assert not Constant().varies()
    assert Constant(warmup_steps=1).varies()


def test_step_multiplies_at_fractions_of_the_whole():
    schedule = Step(steps=8, boundaries=(0.5, 0.75), factor=0.1)
    expected = [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01]
    np.testing.assert_allclose(schedule(jnp.arange(9)), expected, rtol=1e-6)


def test_without_boundaries_the_rate_stays():
    np.testing.assert_array_equal(Step(steps=8, boundaries=())(jnp.arange(3)), np.ones(3))


def test_boundaries_count_the_warm_up_in():
    with_warmup = Step(steps=8, warmup_steps=2, boundaries=(0.5,))(jnp.arange(8))
    np.testing.assert_allclose(with_warmup[2:], [1, 1, 0.1, 0.1, 0.1, 0.1], rtol=1e-6)


def test_exponential_and_its_staircase():
    steps = jnp.arange(7)
    np.testing.assert_allclose(Exponential(rate=0.5)(steps), 0.5 ** np.arange(7), rtol=1e-6)
    stairs = Exponential(rate=0.5, every=3, staircase=True)(steps)
    np.testing.assert_allclose(stairs, [1, 1, 1, 0.5, 0.5, 0.5, 0.25], rtol=1e-6)


def test_linear_and_cosine_reach_their_end():
    np.testing.assert_allclose(
        Linear(steps=4, end_factor=0.2)(jnp.arange(5)), [1, 0.8, 0.6, 0.4, 0.2], rtol=1e-6
    )
    cosine = 0.2 + 0.8 * (1 + np.cos(np.pi * np.arange(5) / 4)) / 2
    np.testing.assert_allclose(Cosine(steps=4, end_factor=0.2)(jnp.arange(5)), cosine, rtol=1e-6)


def test_one_cycle_rises_and_falls():
    cycle = OneCycle(steps=10, rise=0.3, start_divisor=25, end_divisor=100)(jnp.arange(11))
    assert float(cycle[0]) == pytest.approx(1 / 25)
    assert float(cycle[3]) == pytest.approx(1)
    assert float(cycle[10]) == pytest.approx(1 / 2500, rel=1e-3)
    assert (np.diff(cycle[:4]) > 0).all()
    assert (np.diff(cycle[3:]) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_few_steps_is_finite(steps):
    assert np.isfinite(OneCycle(steps=steps)(jnp.arange(5))).all()


@pytest.mark.parametrize("schedule", EVERY, ids=IDS)
def test_the_warm_up_is_a_line_that_ends_at_one(schedule):
    warm = dataclasses.replace(schedule, warmup_steps=4)(jnp.arange(4))
    np.testing.assert_allclose(warm, [0.2, 0.4, 0.6, 0.8], rtol=1e-6)
    by_fraction = dataclasses.replace(schedule, warmup_fraction=0.2)(jnp.arange(20))
    by_steps = dataclasses.replace(schedule, warmup_steps=4)(jnp.arange(20))
    np.testing.assert_array_equal(by_fraction, by_steps)


def test_the_shape_follows_the_warm_up():
    warm = Cosine(steps=12, warmup_steps=2)(jnp.arange(2, 13))
    np.testing.assert_allclose(warm, Cosine(steps=10)(jnp.arange(11)), rtol=1e-6, atol=1e-7)


def test_the_length_comes_from_the_run_where_there_is_none():
    assert Cosine().for_run(50) == Cosine(steps=50)
    assert Cosine(steps=7).for_run(50) == Cosine(steps=7)
    with pytest.raises(UserError, match="Cosine lasts the whole run, whose length is unknown"):
        Cosine()(3)


def test_factors_may_be_traced():
    @jax.jit
    def program(end, rate):
        return Cosine(steps=10, end_factor=end)(4), Exponential(rate=rate)(4)

    cosine, exponential = program(0.3, 0.5)
    assert float(cosine) == pytest.approx(float(Cosine(steps=10, end_factor=0.3)(4)), rel=1e-6)
    assert float(exponential) == pytest.approx(0.5**4, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Constant, {"steps": 0}, "at least 1 step, not 0"),
        (Constant, {"warmup_steps": -1}, "cannot last -1 steps"),
        (Constant, {"warmup_fraction": 1.0}, r"in \[0, 1\), not 1\.0"),
        (Constant, {"warmup_fraction": 0.1, "warmup_steps": 3}, "not both"),
        (Step, {"boundaries": (30, 60)}, "fractions of the schedule, from 0 to 1, not 30"),
        (Step, {"factor": -0.1}, "at least 0, not -0.1"),
        (Exponential, {"every": 0}, "at least 1, not 0"),
        (Linear, {"end_factor": -1.0}, "at least 0, not -1.0"),
        (OneCycle, {"rise": 1.0}, "below 1, not 1.0"),
        (OneCycle, {"start_divisor": 0.0}, "above 0, not 0.0"),
    ],
)
def test_values_out_of_range_are_refused(kind: type[Schedule], options, message):
    with pytest.raises(UserError, match=message):
        kind(**options)
