"""Losses: the values and gradients of PyTorch, the values of Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax import losses

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
functional = torch.nn.functional

GENERATOR = np.random.default_rng(0)
OUTPUTS = (3 * GENERATOR.normal(size=(8, 5))).astype(np.float32)
LABELS = GENERATOR.integers(0, 5, 8)
ONE_HOT = np.eye(5, dtype=np.float32)[LABELS]
TABLE = GENERATOR.normal(size=(8, 5)).astype(np.float32)

# Ours, our targets, and PyTorch's loss of each example.
CASES = {
    "categorical": (
        losses.categorical_cross_entropy,
        LABELS,
        lambda z: functional.cross_entropy(z, torch.tensor(LABELS), reduction="none"),
    ),
    "categorical smoothed": (
        lambda z, v: losses.categorical_cross_entropy(z, v, 0.2),
        LABELS,
        lambda z: functional.cross_entropy(
            z, torch.tensor(LABELS), reduction="none", label_smoothing=0.2
        ),
    ),
    "binary": (
        losses.binary_cross_entropy,
        ONE_HOT,
        lambda z: functional.binary_cross_entropy_with_logits(
            z, torch.tensor(ONE_HOT), reduction="none"
        ).sum(-1),
    ),
    "mean squared": (
        losses.mean_squared_error,
        TABLE,
        lambda z: functional.mse_loss(z, torch.tensor(TABLE), reduction="none").mean(-1),
    ),
    "quadratic": (
        losses.quadratic,
        TABLE,
        lambda z: 0.5 * functional.mse_loss(z, torch.tensor(TABLE), reduction="none").sum(-1),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_torchs(case):
    loss, targets, theirs = CASES[case]
    z = torch.tensor(OUTPUTS, requires_grad=True)
    expected = theirs(z)
    expected.mean().backward()
    values, pull = jax.vjp(lambda outputs: loss(outputs, jnp.asarray(targets)), OUTPUTS)
    (gradient,) = pull(jnp.full(8, 1 / 8))
    np.testing.assert_allclose(values, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, z.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropies_are_kerass(smoothing):
    options = {"from_logits": True, "reduction": None, "label_smoothing": smoothing}
    categorical = keras.losses.CategoricalCrossentropy(**options)(ONE_HOT, OUTPUTS)
    np.testing.assert_allclose(
        losses.categorical_cross_entropy(OUTPUTS, LABELS, smoothing), categorical, rtol=1e-5
    )
    # Keras averages over the outputs, ours is the sum.
    binary = 5 * keras.losses.BinaryCrossentropy(**options)(ONE_HOT, OUTPUTS)
    np.testing.assert_allclose(
        losses.binary_cross_entropy(OUTPUTS, ONE_HOT, smoothing), binary, rtol=1e-5
    )


def test_mean_squared_error_is_kerass():
    expected = keras.losses.MeanSquaredError(reduction=None)(TABLE, OUTPUTS)
    np.testing.assert_allclose(losses.mean_squared_error(OUTPUTS, TABLE), expected, rtol=1e-5)
