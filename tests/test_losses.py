"""Losses: values against their formulas, gradients against finite differences, bad targets."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from nnjax import losses
from nnjax.errors import UserError

OUTPUTS = np.array([[1.0, -0.5, 2.0], [0.2, 0.7, -3.0]], np.float32)
LABELS = np.array([2, 0], np.int32)
ONE_HOT = np.array([[0.0, 0, 1], [1, 0, 0]], np.float32)
SIGMOID = 1 / (1 + np.exp(-OUTPUTS))
SOFTMAX = np.exp(OUTPUTS) / np.exp(OUTPUTS).sum(-1, keepdims=True)
FIRED = (OUTPUTS >= 0).astype(np.float32)

EXPECTED = {
    "quadratic": 0.5 * ((OUTPUTS - ONE_HOT) ** 2).sum(-1),
    "mean_squared_error": ((OUTPUTS - ONE_HOT) ** 2).mean(-1),
    "binary_cross_entropy": -(ONE_HOT * np.log(SIGMOID) + (1 - ONE_HOT) * np.log(1 - SIGMOID)).sum(
        -1
    ),
    "categorical_cross_entropy": -(ONE_HOT * np.log(SOFTMAX)).sum(-1),
    "perceptron": ((FIRED - ONE_HOT) * OUTPUTS).sum(-1),
}


def test_every_name_of_the_option_is_here():
    assert set(typing.get_args(losses.Loss)) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("targets", [LABELS, ONE_HOT], ids=["labels", "vectors"])
def test_values(name, targets):
    got = losses.by_name(name)(jnp.asarray(OUTPUTS), jnp.asarray(targets))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, EXPECTED[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_gradients(name):
    # The perceptron's kink is at 0, where no output is.
    check_grads(
        lambda outputs: losses.by_name(name)(outputs, LABELS),
        (jnp.asarray(OUTPUTS),),
        order=1,
        modes=["fwd", "rev"],
        eps=1e-2,
        rtol=1e-2,
    )


def test_the_gradient_of_a_cross_entropy_is_the_output_error():
    def total(outputs, name):
        return losses.by_name(name)(outputs, LABELS).sum()

    for name, activation in [
        ("binary_cross_entropy", SIGMOID),
        ("categorical_cross_entropy", SOFTMAX),
    ]:
        gradient = jax.grad(total)(jnp.asarray(OUTPUTS), name)
        np.testing.assert_allclose(gradient, activation - ONE_HOT, atol=1e-6)
        np.testing.assert_allclose(losses.predictions(name, OUTPUTS), activation, atol=1e-6)


def test_cross_entropies_stay_finite_far_from_zero():
    outputs = jnp.array([[1e4, -1e4]])
    for name in losses.SMOOTHED:
        right = losses.by_name(name)(outputs, jnp.array([0]))
        wrong = losses.by_name(name)(outputs, jnp.array([1]))
        assert float(right[0]) == 0.0
        assert float(wrong[0]) == 2e4


def test_smoothing_mixes_in_the_uniform_distribution():
    smoothed = losses.as_vectors(LABELS, OUTPUTS, 0.3)
    np.testing.assert_allclose(smoothed, 0.7 * ONE_HOT + 0.1, rtol=1e-6)
    np.testing.assert_allclose(
        losses.categorical_cross_entropy(OUTPUTS, LABELS, 0.3),
        -((0.7 * ONE_HOT + 0.1) * np.log(SOFTMAX)).sum(-1),
        rtol=1e-6,
    )
    halves = 0.7 * ONE_HOT + 0.15
    np.testing.assert_allclose(
        losses.binary_cross_entropy(OUTPUTS, LABELS, 0.3),
        -(halves * np.log(SIGMOID) + (1 - halves) * np.log(1 - SIGMOID)).sum(-1),
        rtol=1e-6,
    )


def test_smoothing_may_be_traced():
    traced = jax.jit(losses.categorical_cross_entropy)(OUTPUTS, LABELS, 0.0)
    np.testing.assert_allclose(traced, EXPECTED["categorical_cross_entropy"], rtol=1e-6)


def test_smoothing_is_for_cross_entropies_and_below_one():
    losses.check_smoothing("binary_cross_entropy", 0.1)
    losses.check_smoothing("quadratic", 0.0)
    with pytest.raises(UserError, match="'quadratic' takes no label smoothing"):
        losses.check_smoothing("quadratic", 0.1)
    with pytest.raises(UserError, match=r"must be below 1, not 1\.0"):
        losses.check_smoothing("categorical_cross_entropy", 1.0)


def test_one_output_takes_the_labels_as_numbers():
    outputs = jnp.array([[0.3], [-2.0]])
    np.testing.assert_allclose(
        losses.quadratic(outputs, jnp.array([1, 0])), [0.5 * 0.7**2, 0.5 * 4.0], rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.quadratic(outputs, jnp.array([0.5, 1.5])), [0.5 * 0.2**2, 0.5 * 3.5**2], rtol=1e-6
    )


def test_the_perceptron_loss_is_zero_where_it_is_right_and_steps_by_rosenblatt():
    right, wrong = losses.perceptron(jnp.array([[2.0], [2.0]]), jnp.array([1, 0]))
    assert (float(right), float(wrong)) == (0.0, 2.0)
    gradient = jax.grad(lambda z: losses.perceptron(z, jnp.array([1, 0])).sum())
    assert gradient(jnp.array([[-1.0], [3.0]])).tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize(
    "targets",
    [
        np.zeros((2, 1), np.int32),  # a column of labels, which would broadcast
        np.zeros((2, 4), np.float32),
        np.zeros(2, np.float32),  # real numbers are no labels
    ],
)
def test_targets_that_do_not_fit_are_refused(targets):
    with pytest.raises(UserError, match=r"do not fit outputs of shape \(2, 3\)"):
        losses.mean_squared_error(jnp.asarray(OUTPUTS), jnp.asarray(targets))


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="did you mean 'quadratic'"):
        losses.by_name("quadratc")
