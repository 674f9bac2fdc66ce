"""Losses: values against their formulas, gradients against finite differences, bad targets."""

import functools
import typing

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

from nnjax import losses, metrics
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


EXTREME = np.array([[-np.inf, 1.0, 2.0]], np.float32)


@pytest.mark.parametrize(
    ("name", "outputs", "values"),
    [
        # -z + log(e + e^2), and infinite for a class of probability 0.
        ("categorical_cross_entropy", EXTREME, [np.inf, 1.3132616, 0.3132617]),
        ("binary_cross_entropy", EXTREME, [np.inf, 2.4401898, 1.4401897]),
        ("binary_cross_entropy", -EXTREME, [0.4401897, np.inf, np.inf]),
        ("perceptron", EXTREME, [np.inf, 2.0, 1.0]),
    ],
)
def test_infinite_logits(name, outputs, values):
    """0 * log 0 is 0: classes left out by a logit of -inf spoil neither value nor gradient."""
    loss = losses.by_name(name)
    got = [loss(outputs, jnp.array([label]))[0] for label in range(3)]
    np.testing.assert_allclose(got, values, rtol=1e-5)
    gradient = jax.grad(lambda z: loss(z, jnp.array([1])).sum())(jnp.asarray(outputs))
    assert jnp.isfinite(gradient).all()


def test_the_gradient_of_a_binary_cross_entropy_at_zero():
    gradient = jax.grad(
        lambda z: losses.binary_cross_entropy(z, jnp.array([[1.0, 0.0, 0.3]])).sum()
    )
    np.testing.assert_allclose(gradient(jnp.zeros((1, 3))), [[-0.5, 0.5, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_missing_target_under_a_mask_leaves_the_gradient_of_the_others(name, missing):
    x, targets = jnp.array([[1.0], [2.0], [3.0]]), jnp.array([[1.0], [missing], [0.0]])

    def mean(w, targets):
        values = losses.by_name(name)(w * x, targets)
        masked = metrics.Mean.of(values, jnp.array([1.0, 0.0, 1.0]))
        return masked.total / masked.count

    got = jax.value_and_grad(mean)(1.0, targets)
    expected = jax.value_and_grad(mean)(1.0, targets.at[1].set(0.0))
    assert [float(value) for value in got] == [float(value) for value in expected]
    # Where nothing masks it, a missing target is not overlooked.
    assert not jnp.isfinite(losses.by_name(name)(x, targets)).all()


@pytest.mark.parametrize(
    ("loss", "targets", "expected"),
    [
        (optax.softmax_cross_entropy, LABELS, EXPECTED["categorical_cross_entropy"]),
        (optax.softmax_cross_entropy_with_integer_labels, LABELS, "categorical_cross_entropy"),
        (optax.squared_error, ONE_HOT, "mean_squared_error"),
        (optax.squared_error, LABELS, "mean_squared_error"),
        (functools.partial(optax.huber_loss, delta=100.0), ONE_HOT, None),
        (lambda z, v: jnp.square(z - v).mean(-1), LABELS, "mean_squared_error"),
    ],
)
def test_a_loss_that_is_a_function_gets_targets_that_fit(loss, targets, expected):
    if expected is None:
        expected = 0.5 * EXPECTED["mean_squared_error"]
    expected = EXPECTED[expected] if isinstance(expected, str) else expected
    got = losses.per_target(loss, jnp.asarray(OUTPUTS), jnp.asarray(targets))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [optax.squared_error, lambda z, v: jnp.square(z[:, 0] - v)])
def test_a_single_output_and_numbers_do_not_broadcast(loss):
    """(batch, 1) less (batch,) would be (batch, batch)."""
    got = losses.per_target(loss, jnp.array([[1.0], [2.0], [4.0]]), jnp.array([1.0, 3.0, 1.0]))
    assert got.tolist() == [0.0, 1.0, 9.0]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda z, v: jnp.mean(z), r"returns values of shape \(\) for outputs of shape \(2, 3\)"),
        (lambda z, v: z @ v, r"the loss '<lambda>' fails on outputs of shape \(2, 3\) and int32"),
    ],
)
def test_a_function_that_is_no_loss_of_examples_is_refused(loss, message):
    with pytest.raises(UserError, match=message):
        losses.per_target(loss, jnp.asarray(OUTPUTS), jnp.asarray(LABELS))


@pytest.mark.parametrize(
    ("loss", "kind", "expected"),
    [
        (optax.softmax_cross_entropy_with_integer_labels, "probabilities", SOFTMAX),
        (functools.partial(losses.binary_cross_entropy), "probabilities", SIGMOID),
        ("mean_squared_error", "values", OUTPUTS),
        (optax.huber_loss, "raw outputs", OUTPUTS),
    ],
)
def test_what_a_loss_predicts(loss, kind, expected):
    assert losses.kind_of_predictions(loss) == kind
    np.testing.assert_allclose(losses.predictions(loss, OUTPUTS), expected, rtol=1e-5)


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
    losses.check("binary_cross_entropy", 0.1)
    losses.check("quadratic", 0.0)
    with pytest.raises(UserError, match="'quadratic' takes no label smoothing"):
        losses.check("quadratic", 0.1)
    with pytest.raises(UserError, match=r"must be below 1, not 1\.0"):
        losses.check("categorical_cross_entropy", 1.0)


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
