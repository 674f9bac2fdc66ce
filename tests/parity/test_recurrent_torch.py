"""Recurrent layers against PyTorch: outputs, states and gradients of the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from nnjax.interchange import from_torch, to_torch
from nnjax.layers.cells import GRUCell, LSTMCell, SimpleCell
from nnjax.layers.recurrence.recurrent import Recurrent

torch = pytest.importorskip("torch")

BATCH, TIME, INPUTS, FEATURES = 3, 7, 4, 5
X = np.random.default_rng(0).normal(size=(BATCH, TIME, INPUTS)).astype(np.float32)
KINDS = {
    "tanh": (SimpleCell, lambda *a, **k: torch.nn.RNN(*a, nonlinearity="tanh", **k), {}),
    "relu": (
        SimpleCell,
        lambda *a, **k: torch.nn.RNN(*a, nonlinearity="relu", **k),
        {"activation": "relu"},
    ),
    "lstm": (LSTMCell, lambda *a, **k: torch.nn.LSTM(*a, **k), {}),
    "gru": (GRUCell, lambda *a, **k: torch.nn.GRU(*a, **k), {}),
}


def pair(kind, layers, bidirectional, bias="double"):
    """Both modules, with PyTorch's weights."""
    cell, theirs, options = KINDS[kind]
    torch.manual_seed(0)
    network = theirs(
        INPUTS,
        FEATURES,
        layers,
        batch_first=True,
        bidirectional=bidirectional,
        bias=bias != "none",
    )
    recurrent = Recurrent(
        cell(FEATURES, bias=bias, **options),
        layers=layers,
        direction="bidirectional" if bidirectional else "forward",
    )
    state = {name: weight.numpy() for name, weight in network.state_dict().items()}
    return network, recurrent, from_torch(recurrent, state)


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


def states_there(final):
    """(layers * directions, batch, features) of each part, as a tuple of parts."""
    return final if isinstance(final, tuple) else (final,)


def states_here(carry):
    parts = [one if isinstance(one, tuple) else (one,) for one in carry]
    return [jnp.stack(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize(
    ("layers", "bidirectional"), [(1, False), (2, True), *slow((1, True), (2, False))]
)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_states_and_gradients_are_torchs(kind, layers, bidirectional):
    network, recurrent, params = pair(kind, layers, bidirectional)
    x = torch.tensor(X, requires_grad=True)
    expected, final = network(x)
    total = expected.sin().sum() + sum(state.square().sum() for state in states_there(final))
    total.backward()

    def objective(params, x):
        y, carry = recurrent.apply({"params": params}, x)
        squares = sum(jnp.sum(jnp.square(state)) for state in states_here(carry))
        return jnp.sum(jnp.sin(y)) + squares, (y, carry)

    (_, (y, carry)), (gradient, x_gradient) = jax.value_and_grad(
        objective, argnums=(0, 1), has_aux=True
    )(params, jnp.asarray(X))
    assert_close(y, expected.detach().numpy())
    for ours, theirs in zip(states_here(carry), states_there(final), strict=True):
        assert_close(ours, theirs.detach().numpy())
    assert_close(x_gradient, x.grad.numpy())
    for name, ours in to_torch(recurrent, gradient).items():
        # Sums of 21 products each of magnitude one: rounding in another order.
        theirs = getattr(network, name).grad.numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["tanh", "lstm"])
@pytest.mark.parametrize("bias", ["none", "single"])
def test_without_bias_and_with_one_it_is_torchs_too(kind, bias):
    network, recurrent, params = pair(kind, 2, True, bias)
    assert_close(recurrent.apply({"params": params}, X)[0], network(torch.tensor(X))[0].detach())


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_torchs_packed_sequences(kind):
    network, recurrent, params = pair(kind, 2, True)
    lengths = np.array([7, 4, 1])
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(X), lengths, batch_first=True)
    outputs, final = network(packed)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
    y, carry = recurrent.apply({"params": params}, X, jnp.asarray(lengths))
    assert_close(y, expected.detach().numpy())
    for ours, theirs in zip(states_here(carry), states_there(final), strict=True):
        assert_close(ours, theirs.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_before_is_torchs(kind):
    network, recurrent, params = pair(kind, 2, False)
    start = np.random.default_rng(1).normal(size=(2, 2, BATCH, FEATURES)).astype(np.float32)
    h, c = torch.tensor(start[0]), torch.tensor(start[1])
    expected, _ = network(torch.tensor(X), (h, c) if kind == "lstm" else h)
    carry = tuple(zip(*start, strict=True)) if kind == "lstm" else tuple(start[0])
    y, _ = recurrent.apply({"params": params}, X, carry=carry)
    assert_close(y, expected.detach().numpy())
