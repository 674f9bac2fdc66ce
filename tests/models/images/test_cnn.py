"""The convolutional network: published parameter counts, geometry, platforms."""

import dataclasses
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn
from marks import slow

from nnjax.activations import Activation
from nnjax.errors import UserError
from nnjax.layers.images import convolution
from nnjax.models import CNN
from nnjax.models.images import cnn

SMALL = CNN(features=(4, 6), kernel_sizes=(3, 2), hidden=(7,), outputs=3)

PUBLISHED = {
    "cnn1": (CNN(features=(20,), kernel_sizes=(5,), outputs=10), 289_630),
    "cnn2": (CNN(outputs=10), 108_870),
    "cnn_keras": (
        CNN((32, 32), (3,), hidden=(64,), hidden_activation="relu", outputs=10),
        61_482,
    ),
    "cnn_skip": (
        CNN((32, 32), (3,), 2, "SAME", skip=True, hidden=(64,), outputs=10),
        129_130,
    ),
}


def images(*shape):
    return np.float32(np.random.default_rng(0).normal(size=shape))


def parameters(model, shape):
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))
    return sum(leaf.size for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_of_parameters(name):
    model, count = PUBLISHED[name]
    assert parameters(model, (1, 28, 28, 1)) == count


def test_grey_images_need_no_channel_axis():
    x = images(2, 12, 12)
    variables = drawn(SMALL, x)
    logits = apply(SMALL, variables, x)
    assert logits.shape == (2, 3)
    np.testing.assert_array_equal(logits, apply(SMALL, variables, x[..., None]))


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "softmax"},
        {"features": (4, 4), "padding": "SAME", "skip": True},
        *slow(
            {},
            {"activation": "gelu"},
            {"activation": "sigmoid", "convolutions": 2, "padding": "SAME"},
        ),
    ],
    ids=lambda changes: changes.get("activation", "skip" if changes else "default"),
)
def test_parameters_mean_the_same_on_every_platform(monkeypatch, changes):
    model = dataclasses.replace(SMALL, **changes)
    x = images(3, 13, 12, 2)
    variables = jax.jit(model.init)(jax.random.key(1), x)

    def loss(variables):
        return jnp.sum(model.apply(variables, x) ** 2)

    results = []
    for formulation in ("patches", "lax"):
        for module in (convolution, cnn):
            monkeypatch.setattr(module, "fastest_formulation", lambda kind=formulation: kind)
        # A new function, so that the program is traced again.
        results.append(jax.jit(jax.value_and_grad(lambda variables: loss(variables)))(variables))
    for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", get_args(Activation))
def test_an_image_does_not_see_the_others_of_its_batch(activation):
    model = dataclasses.replace(SMALL, activation=activation)
    x = images(3, 12, 12)
    variables = drawn(model, x)
    together, alone = apply(model, variables, x)[:1], apply(model, variables, x[:1])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", cnn.NON_DECREASING_ACTIVATIONS)
def test_pooling_before_the_activation_changes_nothing(monkeypatch, activation):
    model = dataclasses.replace(SMALL, activation=activation)
    x = images(3, 12, 12)
    variables = drawn(model, x)
    before = jax.jit(model.apply)(variables, x)
    monkeypatch.setattr(cnn, "NON_DECREASING_ACTIVATIONS", ())
    np.testing.assert_allclose(jax.jit(model.apply)(variables, x), before, rtol=1e-5, atol=1e-6)


def test_skip_adds_the_input_of_a_block_whose_shape_it_keeps():
    model = CNN((4, 4), (3,), padding="SAME", skip=True, hidden=(), outputs=2)
    x = images(2, 8, 8)
    variables = jax.jit(model.init)(jax.random.key(1), x)
    # With dead kernels the second block passes its input on; without skip nothing is left.
    dead = jax.tree.map(jnp.zeros_like, variables["params"]["convolution2"])
    variables = {"params": {**variables["params"], "convolution2": dead}}
    assert jnp.any(apply(model, variables, x) != 0)
    assert jnp.all(apply(dataclasses.replace(model, skip=False), variables, x) == 0)


def test_dropout_only_while_training():
    model = dataclasses.replace(SMALL, dropout=0.5, hidden_dropout=0.5)
    x = images(2, 12, 12)
    variables = drawn(model, x)

    def draw(seed):
        return apply(model, variables, x, train=True, rngs={"dropout": jax.random.key(seed)})

    assert jnp.any(draw(0) != draw(1))
    np.testing.assert_array_equal(apply(model, variables, x), apply(SMALL, variables, x))


def test_bfloat16():
    x = images(2, 12, 12)
    variables = drawn(SMALL, x)
    half = apply(
        SMALL,
        jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables),
        x.astype(jnp.bfloat16),
    )
    assert half.dtype == jnp.bfloat16
    # Eight bits of significand through four layers.
    np.testing.assert_allclose(half.astype(jnp.float32), apply(SMALL, variables, x), atol=0.1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 9, 1), "a 3x3 kernel does not fit into a 2x9 image"),
        ((1, 3, 9, 1), "a 2x2 pooling window does not fit into a 1x7 image"),
        ((1, 5, 9, 1), "a 2x2 kernel does not fit into a 1x3 image"),
        ((1, 9), "takes images"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(UserError, match=message):
        parameters(SMALL, shape)


def test_as_many_kernel_sizes_as_blocks_or_one():
    with pytest.raises(UserError, match="give one size, or one for each block"):
        parameters(dataclasses.replace(SMALL, kernel_sizes=(3, 3, 3)), (1, 28, 28, 1))
