"""Metrics: exact counts, masks, sums over batches."""

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
    targets = jnp.array([[0, 1, -1], [2, -1, -1]])
    values = jnp.ones((2, 3))
    np.testing.assert_array_equal(metrics.counted(values, targets), [[1, 1, 0], [1, 0, 0]])
    masked = metrics.counted(values, targets, jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(masked, [[0, 0, 0], [1, 0, 0]])
    assert metrics.counted(jnp.ones(2), targets) is None


def test_numbers_of_a_sequence_all_count_whatever_their_sign():
    values, mask = jnp.ones((2, 3)), jnp.array([0.0, 1.0])
    vectors = jnp.zeros((2, 3, 5), jnp.int32) - 1
    for targets in (jnp.full((2, 3), -0.5), jnp.full((2, 3, 2), -0.5), vectors):
        assert metrics.counted(values, targets) is None
        counted = metrics.counted(values, targets, mask)
        np.testing.assert_array_equal(counted, [[0, 0, 0], [1, 1, 1]])


def test_a_sequence_is_right_where_all_of_it_is():
    targets = jnp.array([[0, 1, 2], [0, 1, 2], [0, 1, -1], [0, 1, -1]])
    said = jnp.array([[0, 1, 2], [0, 1, 1], [0, 1, 0], [1, 1, 0]])
    right = metrics.sequence_accuracy(jax.nn.one_hot(said, 3), targets)
    np.testing.assert_array_equal(right, [1, 0, 1, 0])


def test_a_single_output_is_right_among_the_first_two():
    outputs, targets = jnp.array([[2.0], [-3.0], [0.1]]), jnp.array([1, 1, 0])
    assert metrics.top_k_accuracy(outputs, targets).tolist() == [1, 1, 1]
    assert metrics.top_k_accuracy(outputs, targets, 1).tolist() == [1, 0, 1]
