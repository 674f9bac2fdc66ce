"""Dense layers and perceptrons: the outputs and gradients of PyTorch and Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn

from nnjax.layers.dense import Dense
from nnjax.models import MLP

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(6, 5)).astype(np.float32)
KERNEL = GENERATOR.normal(size=(4, 5)).astype(np.float32)
BIAS = GENERATOR.normal(size=4).astype(np.float32)
COTANGENT = GENERATOR.normal(size=(6, 4)).astype(np.float32)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def ours():
    def apply(params, x):
        return Dense(4).apply({"params": params}, x)

    y, pull = jax.vjp(apply, {"kernel": KERNEL, "bias": BIAS}, X)
    return y, *pull(jnp.asarray(COTANGENT))


def test_dense_is_torchs_linear_forward_and_backward():
    layer, x = torch.nn.Linear(5, 4), torch.tensor(X, requires_grad=True)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(KERNEL))
        layer.bias.copy_(torch.tensor(BIAS))
    expected = layer(x)
    expected.backward(torch.tensor(COTANGENT))
    y, params, inputs = ours()
    np.testing.assert_allclose(y, expected.detach().numpy(), **TOLERANCE)
    np.testing.assert_allclose(params["kernel"], layer.weight.grad.numpy(), **TOLERANCE)
    np.testing.assert_allclose(params["bias"], layer.bias.grad.numpy(), **TOLERANCE)
    np.testing.assert_allclose(inputs, x.grad.numpy(), **TOLERANCE)


def test_dense_is_kerass():
    layer = keras.layers.Dense(4)
    layer.build((None, 5))
    layer.set_weights([KERNEL.T, BIAS])
    np.testing.assert_allclose(ours()[0], np.asarray(layer(X)), **TOLERANCE)


# By our names, the modules of PyTorch and the names of Keras.
ACTIVATIONS = {
    "sigmoid": (torch.nn.Sigmoid(), "sigmoid"),
    "tanh": (torch.nn.Tanh(), "tanh"),
    "relu": (torch.nn.ReLU(), "relu"),
    "leaky_relu": (torch.nn.LeakyReLU(), None),  # Keras's slope is 0.2
    "elu": (torch.nn.ELU(), "elu"),
    "selu": (torch.nn.SELU(), "selu"),
    "softplus": (torch.nn.Softplus(), "softplus"),
    "gelu": (torch.nn.GELU(), None),  # Keras's is approximate by default
    "silu": (torch.nn.SiLU(), "silu"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_perceptron_of_every_activation(name):
    module, keras_name = ACTIVATIONS[name]
    model = MLP(features=(4, 3), outputs=2, activation=name, kernel_init="normal")
    variables = drawn(model, X)
    params = variables["params"]
    layers = [params[key] for key in ("hidden1", "hidden2", "output")]
    y = apply(model, variables, X)

    linears = [torch.nn.Linear(*layer["kernel"].shape[::-1]) for layer in layers]
    with torch.no_grad():
        for linear, layer in zip(linears, layers, strict=True):
            linear.weight.copy_(torch.tensor(np.array(layer["kernel"])))
            linear.bias.copy_(torch.tensor(np.array(layer["bias"])))
    network = torch.nn.Sequential(linears[0], module, linears[1], module, linears[2])
    expected = network(torch.tensor(X))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-5, atol=1e-5)

    expected.square().sum().backward()

    def squares(params):
        return jnp.sum(jnp.square(model.apply({"params": params}, X)))

    gradient = jax.jit(jax.grad(squares))(params)
    np.testing.assert_allclose(
        gradient["hidden1"]["kernel"], linears[0].weight.grad.numpy(), rtol=2e-5, atol=1e-4
    )
    if keras_name:
        sizes = [(4, keras_name), (3, keras_name), (2, None)]
        chain = keras.Sequential([keras.layers.Dense(n, activation=f) for n, f in sizes])
        chain.build((None, 5))
        chain.set_weights([w for layer in layers for w in (layer["kernel"].T, layer["bias"])])
        np.testing.assert_allclose(y, np.asarray(chain(X)), rtol=1e-5, atol=1e-5)
