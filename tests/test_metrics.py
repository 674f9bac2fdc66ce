"""Metrics: exact counts, masks, sums over batches."""

import functools
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import top_k_accuracy_score

from nnjax import metrics
from nnjax.errors import UserError

GENERATOR = np.random.default_rng(0)
OUTPUTS = GENERATOR.normal(size=(50, 7)).astype(np.float32)
LABELS = GENERATOR.integers(0, 7, 50).astype(np.int32)


def test_every_name_of_the_option_is_known():
    for name in typing.get_args(metrics.Metric):
        assert callable(metrics.by_name(name))
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        metrics.by_name("accurracy")


def test_accuracy_of_labels_and_of_one_hot_vectors():
    expected = (OUTPUTS.argmax(-1) == LABELS).astype(np.float32)
    np.testing.assert_array_equal(metrics.accuracy(OUTPUTS, LABELS), expected)
    one_hot = jax.nn.one_hot(LABELS, 7)
    np.testing.assert_array_equal(metrics.accuracy(jnp.asarray(OUTPUTS), one_hot), expected)


def test_accuracy_of_one_output_asks_whether_it_is_half_or_more():
    outputs = jnp.array([[0.5], [0.49], [0.9], [0.1]])
    labels = jnp.array([1, 1, 0, 0])
    assert metrics.accuracy(outputs, labels).tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_accuracy_equals_scikit_learn(k):
    got = metrics.top_k_accuracy(jnp.asarray(OUTPUTS), jnp.asarray(LABELS), k).mean()
    expected = top_k_accuracy_score(LABELS, OUTPUTS, k=k, labels=range(7))
    assert float(got) == pytest.approx(expected, abs=1e-6)


def test_top_k_of_fewer_classes_than_k_is_always_right():
    assert metrics.by_name("top5_accuracy")(jnp.eye(3), jnp.array([2, 1, 0])).tolist() == [1, 1, 1]


def test_mean_absolute_error():
    outputs = jnp.array([[1.0, 2.0], [0.0, -4.0]])
    targets = jnp.array([[0.0, 2.0], [1.0, 4.0]])
    assert metrics.mean_absolute_error(outputs, targets).tolist() == [0.5, 4.5]
    assert metrics.mean_absolute_error(outputs[:, :1], targets[:, 0]).tolist() == [1.0, 1.0]


def test_confusion_matrix_equals_scikit_learn_and_adds_up():
    predicted = OUTPUTS.argmax(-1)
    whole = metrics.confusion_matrix(predicted, LABELS, 7)
    np.testing.assert_array_equal(whole, sklearn_confusion(LABELS, predicted, labels=range(7)))
    halves = [
        metrics.confusion_matrix(predicted[part], LABELS[part], 7)
        for part in (slice(0, 20), slice(20, 50))
    ]
    np.testing.assert_array_equal(halves[0] + halves[1], whole)


def test_confusion_matrix_leaves_out_masked_examples():
    mask = np.arange(50) < 30
    predicted = OUTPUTS.argmax(-1)
    got = metrics.confusion_matrix(predicted, LABELS, 7, jnp.asarray(mask, jnp.float32))
    np.testing.assert_array_equal(got, metrics.confusion_matrix(predicted[:30], LABELS[:30], 7))


@pytest.mark.parametrize(
    ("predicted", "labels", "message"),
    [
        ([0, 12], [1, 2], "prediction 12 is none of the 3 classes"),
        ([0, 1], [1, -1], "label -1 is none of the 3 classes"),
    ],
)
def test_a_class_out_of_range_is_never_dropped(predicted, labels, message):
    with pytest.raises(UserError, match=message):
        metrics.confusion_matrix(predicted, labels, 3)
    counts = jax.jit(metrics.confusion_matrix, static_argnums=2)(predicted, labels, 3)
    np.testing.assert_array_equal(counts, np.full((3, 3), -1))
    masked = metrics.confusion_matrix(predicted, labels, 3, np.array([1, 0]))
    np.testing.assert_array_equal(masked, [[0, 0, 0], [1, 0, 0], [0, 0, 0]])


def test_a_mean_over_batches_with_a_masked_last_one_is_exact():
    correct = (OUTPUTS.argmax(-1) == LABELS).astype(np.float32)
    padded = np.concatenate([correct, np.full(14, np.nan, np.float32)])
    mask = (np.arange(64) < 50).astype(np.float32)
    total = None
    for first in range(0, 64, 16):
        part = slice(first, first + 16)
        batch = {"accuracy": metrics.Mean.of(jnp.asarray(padded[part]), jnp.asarray(mask[part]))}
        total = batch if total is None else metrics.add(total, batch)
    assert float(total["accuracy"].count) == 50
    assert metrics.values(total) == {"accuracy": correct.sum() / 50}


def test_a_mean_of_nothing_is_nan():
    assert np.isnan(metrics.Mean.of(jnp.ones(3), jnp.zeros(3)).value())


def test_a_mean_without_a_mask_counts_every_example():
    mean = metrics.Mean.of(jnp.array([1.0, 2.0, 6.0], jnp.bfloat16))
    assert mean.total.dtype == jnp.float32
    assert (float(mean.count), mean.value()) == (3.0, 3.0)


def test_padded_targets_do_not_count():
    targets, outputs = jnp.array([[0, 1, -1], [2, -1, -1]]), jnp.zeros((2, 3, 4))
    np.testing.assert_array_equal(metrics.present(targets, outputs), [[1, 1, 0], [1, 0, 0]])
    masked = metrics.present(targets, outputs, jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(masked, [[0, 0, 0], [1, 0, 0]])
    # A class index of an example alone, too, unless the numbers are to be fitted as such.
    labels = jnp.array([3, -1])
    np.testing.assert_array_equal(metrics.present(labels, jnp.zeros((2, 4))), [1, 0])
    assert metrics.present(labels, jnp.zeros((2, 1))) is None


def test_numbers_of_a_sequence_all_count_whatever_their_sign():
    outputs, mask = jnp.zeros((2, 3, 5)), jnp.array([0.0, 1.0])
    for targets in (jnp.full((2, 3), -0.5), jnp.full((2, 3, 5), -0.5), jnp.full((2, 3, 5), -1)):
        assert metrics.present(targets, outputs) is None
        weights = metrics.present(targets, outputs, mask)
        np.testing.assert_array_equal(weights, [[0, 0, 0], [1, 1, 1]])


def test_a_row_that_is_padding_alone_does_not_count():
    """Five rows of which four are wrong and one is empty: no fifth is right for nothing."""
    outputs = jax.nn.one_hot(jnp.zeros((5, 4), jnp.int32), 3)
    targets = jnp.ones((5, 4), jnp.int32).at[4].set(-1)
    values = metrics.sequence_accuracy(outputs, targets)
    weights = metrics.counted(values, metrics.present(targets, outputs))
    mean = metrics.Mean.of(values, weights)
    assert (float(mean.count), mean.value()) == (4, 0)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(UserError, match=r"mask has shape \(2, 3\); give one number per example"):
        metrics.present(jnp.zeros((2, 3), jnp.int32), jnp.zeros((2, 3, 5)), jnp.ones((2, 3)))


def test_a_sequence_is_right_where_all_of_it_is():
    targets = jnp.array([[0, 1, 2], [0, 1, 2], [0, 1, -1], [0, 1, -1]])
    said = jnp.array([[0, 1, 2], [0, 1, 1], [0, 1, 0], [1, 1, 0]])
    right = metrics.sequence_accuracy(jax.nn.one_hot(said, 3), targets)
    np.testing.assert_array_equal(right, [1, 0, 1, 0])


def test_a_single_output_is_right_among_the_first_two():
    outputs, targets = jnp.array([[2.0], [-3.0], [0.1]]), jnp.array([1, 1, 0])
    assert metrics.top_k_accuracy(outputs, targets).tolist() == [1, 1, 1]
    assert metrics.top_k_accuracy(outputs, targets, 1).tolist() == [1, 0, 1]


def top(outputs, targets, k):
    return metrics.top_k_accuracy(outputs, targets, k)


def loss(outputs, targets):
    return jnp.ones(len(outputs))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("accuracy", "accuracy"), "two metrics are named 'accuracy'"),
        ((lambda o, t: o[:, 0], lambda o, t: o[:, 1]), "two metrics are named '<lambda>'"),
        ((functools.partial(top, k=1), functools.partial(top, k=2)), "two metrics are named 'top'"),
        ((loss,), "a metric cannot be named 'loss'"),
        (("acuracy",), "unknown metric 'acuracy', did you mean 'accuracy'"),
        ((3,), "a metric must be a name or a function, not 3"),
        ("accuracy", r"metrics must be a tuple, such as \('accuracy',\), not 'accuracy'"),
    ],
)
def test_metrics_that_a_record_cannot_hold_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        metrics.check(given)


def test_a_partial_has_the_name_of_its_function():
    metrics.check(("accuracy", functools.partial(top, k=2)))
    assert metrics.name_of(functools.partial(functools.partial(top), k=2)) == "top"
