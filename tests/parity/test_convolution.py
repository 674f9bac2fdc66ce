"""Same weights and images into PyTorch and Keras: same outputs and gradients out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.layers.images.convolution import Conv
from nnjax.layers.images.pooling import average_pool, max_pool

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(3, 9, 8, 2)).astype(np.float32)
KERNEL = GENERATOR.normal(size=(3, 2, 2, 5)).astype(np.float32) / 4
BIAS = GENERATOR.normal(size=5).astype(np.float32)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def ours(function, *arguments):
    """The output, and the gradients of half the sum of its squares."""
    output, pull = jax.vjp(function, *map(jnp.asarray, arguments))
    return [output, *pull(output)]


def convolution(formulation, strides=(1, 1)):
    layer = Conv(5, (3, 2), strides, formulation=formulation)
    return lambda x, kernel, bias: layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **TOLERANCE)


def theirs_in_torch(torch, function, images, *others):
    """As :func:`ours`; the images, and what becomes of them, go from NHWC to NCHW and back."""
    x = torch.tensor(images.transpose(0, 3, 1, 2), requires_grad=True)
    others = [torch.tensor(other, requires_grad=True) for other in others]
    output = function(x, *others)
    (output**2 / 2).sum().backward()

    def to_last(tensor):
        return tensor.detach().numpy().transpose(0, 2, 3, 1)

    return [to_last(output), to_last(x.grad), *(other.grad.numpy() for other in others)]


@pytest.mark.parametrize("formulation", ["patches", "lax"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_convolution_equals_torch(formulation, strides):
    torch = pytest.importorskip("torch")
    output, dx, dk, db = ours(convolution(formulation, strides), X, KERNEL, BIAS)

    def function(x, k, b):
        return torch.nn.functional.conv2d(x, k, b, stride=strides)

    theirs = theirs_in_torch(torch, function, X, KERNEL.transpose(3, 2, 0, 1).copy(), BIAS)
    assert_same([output, dx, np.transpose(dk, (3, 2, 0, 1)), db], theirs)


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "with ties"])
def test_pooling_equals_torch(rounded):
    torch = pytest.importorskip("torch")
    x = np.round(X) if rounded else X
    pools = torch.nn.functional.max_pool2d, torch.nn.functional.avg_pool2d
    for pool, theirs in zip((max_pool, average_pool), pools, strict=True):
        assert_same(ours(pool, x), theirs_in_torch(torch, lambda x, f=theirs: f(x, 2), x))


def of_keras(layer):
    """A Keras layer as a function of images and weights; Keras runs on JAX here."""
    return lambda x, *weights: layer.stateless_call(list(weights), [], x)[0]


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_equals_keras(padding):
    keras = pytest.importorskip("keras")
    theirs = keras.layers.Conv2D(5, (3, 2), padding=padding)
    theirs.build(X.shape)
    layer = Conv(5, (3, 2), padding=padding.upper(), formulation="patches")

    def function(x, kernel, bias):
        return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)

    assert_same(ours(function, X, KERNEL, BIAS), ours(of_keras(theirs), X, KERNEL, BIAS))


def test_pooling_equals_keras():
    keras = pytest.importorskip("keras")
    pools = keras.layers.MaxPooling2D(2), keras.layers.AveragePooling2D(2)
    for pool, theirs in zip((max_pool, average_pool), pools, strict=True):
        assert_same(ours(pool, X), ours(of_keras(theirs), X))
