"""Properties that hold for any batch: order, masks, splits."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax import losses, metrics
from nnjax.learners import Supervised
from nnjax.models import MLP

EXAMPLES, CLASSES = 24, 6
LEARNER = Supervised(
    MLP(features=(5,), outputs=CLASSES), metrics=("accuracy", "top5_accuracy"), l2=0.1
)
SHAPES = {
    "inputs": jax.ShapeDtypeStruct((EXAMPLES, 4), np.float32),
    "targets": jax.ShapeDtypeStruct((EXAMPLES,), np.int32),
}
STATE = LEARNER.init(jax.random.key(0), SHAPES)
# Compiled once: every drawn batch has the same shape.
EVALUATE, STEP = jax.jit(LEARNER.evaluate), jax.jit(LEARNER.step)

seeds = st.integers(0, 2**32 - 1)
masks = st.lists(st.booleans(), min_size=EXAMPLES, max_size=EXAMPLES).map(
    lambda drawn: np.array(drawn, np.float32)
)
several = settings(max_examples=25, deadline=None)


def draw(seed):
    generator = np.random.default_rng(seed)
    return {
        "inputs": (3 * generator.normal(size=(EXAMPLES, 4))).astype(np.float32),
        "targets": generator.integers(0, CLASSES, EXAMPLES).astype(np.int32),
    }


def assert_metrics_close(left, right):
    """Counts of examples and of right answers exactly, sums of losses to rounding."""
    for name in left:
        tolerance = 1e-5 if name == "loss" else 0
        np.testing.assert_array_equal(left[name].count, right[name].count)
        np.testing.assert_allclose(left[name].total, right[name].total, rtol=tolerance, atol=0)


@several
@given(seeds, seeds)
def test_the_order_of_examples_does_not_matter(seed, order_seed):
    batch = draw(seed)
    order = np.random.default_rng(order_seed).permutation(EXAMPLES)
    permuted = {name: array[order] for name, array in batch.items()}
    assert_metrics_close(EVALUATE(STATE, permuted), EVALUATE(STATE, batch))
    for ours, theirs in zip(
        jax.tree.leaves(STEP(STATE, permuted)[0].params),
        jax.tree.leaves(STEP(STATE, batch)[0].params),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@several
@given(seeds, masks)
def test_masked_examples_count_for_nothing_whatever_they_hold(seed, mask):
    batch = draw(seed) | {"mask": mask}
    spoiled = batch | {"inputs": np.where(mask[:, None] > 0, batch["inputs"], np.nan)}
    measured = EVALUATE(STATE, spoiled)
    assert_metrics_close(measured, EVALUATE(STATE, batch))
    counted = np.flatnonzero(mask)
    assert float(measured["loss"].count) == len(counted)
    alone = {name: batch[name][counted] for name in ("inputs", "targets")}
    outputs = np.asarray(LEARNER.outputs(STATE, alone["inputs"])) if len(counted) else None
    right = 0 if outputs is None else (outputs.argmax(-1) == alone["targets"]).sum()
    assert float(measured["accuracy"].total) == right


@several
@given(seeds, masks)
def test_masked_examples_do_not_train(seed, mask):
    batch = draw(seed) | {"mask": mask}
    others = draw(seed + 1)
    changed = batch | {
        "inputs": np.where(mask[:, None] > 0, batch["inputs"], others["inputs"]),
        "targets": np.where(mask > 0, batch["targets"], others["targets"]),
    }
    if not mask.any():
        return
    for ours, theirs in zip(
        jax.tree.leaves(STEP(STATE, changed)[0].params),
        jax.tree.leaves(STEP(STATE, batch)[0].params),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


@several
@given(seeds, masks)
def test_the_parts_of_a_batch_add_up(seed, mask):
    batch = draw(seed)
    parts = [EVALUATE(STATE, batch | {"mask": part}) for part in (mask, 1 - mask)]
    assert_metrics_close(metrics.add(*parts), EVALUATE(STATE, batch))


@several
@given(seeds, masks)
def test_a_confusion_matrix_counts_every_example_once(seed, mask):
    batch = draw(seed)
    predicted = metrics.class_index(LEARNER.outputs(STATE, batch["inputs"]))
    matrix = metrics.confusion_matrix(predicted, batch["targets"], CLASSES, mask)
    assert int(matrix.sum()) == int(mask.sum())
    measured = EVALUATE(STATE, batch | {"mask": mask})
    assert int(jnp.trace(matrix)) == int(measured["accuracy"].total)
    labels = batch["targets"][mask > 0]
    np.testing.assert_array_equal(matrix.sum(1), np.bincount(labels, minlength=CLASSES))


@several
@given(seeds)
def test_no_loss_is_negative_and_smoothing_is_linear(seed):
    batch = draw(seed)
    outputs = jnp.asarray(np.random.default_rng(seed).normal(size=(EXAMPLES, CLASSES)), jnp.float32)
    for name in ("quadratic", "mean_squared_error", *losses.SMOOTHED, "perceptron"):
        assert float(losses.by_name(name)(outputs, batch["targets"]).min()) >= 0
    ends = [losses.categorical_cross_entropy(outputs, batch["targets"], e) for e in (0.0, 1.0)]
    middle = losses.categorical_cross_entropy(outputs, batch["targets"], 0.25)
    np.testing.assert_allclose(middle, 0.75 * ends[0] + 0.25 * ends[1], rtol=1e-5, atol=1e-5)
