"""Recurrent layers against Keras: outputs, states and gradients of the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.interchange import from_keras, to_keras
from nnjax.layers.cells import GRUCell, LSTMCell, SimpleCell
from nnjax.layers.recurrence.recurrent import Recurrent

keras = pytest.importorskip("keras")

BATCH, TIME, INPUTS, FEATURES = 3, 7, 4, 5
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(BATCH, TIME, INPUTS)).astype(np.float32)
KINDS = {
    "simple": (keras.layers.SimpleRNN, {}, SimpleCell(FEATURES)),
    "relu": (
        keras.layers.SimpleRNN,
        {"activation": "relu"},
        SimpleCell(FEATURES, activation="relu"),
    ),
    "lstm": (keras.layers.LSTM, {}, LSTMCell(FEATURES)),
    "lstm without bias": (
        keras.layers.LSTM,
        {"use_bias": False},
        LSTMCell(FEATURES, bias="none"),
    ),
    "gru after": (keras.layers.GRU, {"reset_after": True}, GRUCell(FEATURES, bias="double")),
    "gru before": (keras.layers.GRU, {"reset_after": False}, GRUCell(FEATURES, reset="before")),
}


def drawn(layer):
    """A layer with weights of which none is zero."""
    layer.build(X.shape)
    layer.set_weights([GENERATOR.normal(0, 0.5, w.shape) for w in weights_of(layer)])
    return layer


def weights_of(layer):
    """What ``layer.get_weights()`` is, which warns of NumPy's copies."""
    return [np.asarray(weight.value) for weight in layer.weights]


def assert_close(ours, theirs, atol=2e-6):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_states_and_gradients_are_kerass(kind):
    theirs, options, cell = KINDS[kind]
    layer = drawn(theirs(FEATURES, return_sequences=True, return_state=True, **options))
    recurrent = Recurrent(cell)
    params = from_keras(recurrent, [weights_of(layer)])

    def objective(y, states):
        return jnp.sum(jnp.sin(y)) + sum(jnp.sum(jnp.square(s)) for s in states)

    def there(weights, x):
        (y, *states), _ = layer.stateless_call(weights, seeds, x)
        return objective(y, states), (y, states)

    def here(params, x):
        y, (carry,) = recurrent.apply({"params": params}, x)
        return objective(y, jax.tree.leaves(carry)), (y, jax.tree.leaves(carry))

    seeds = [variable.value for variable in layer.non_trainable_variables]
    weights = [variable.value for variable in layer.trainable_variables]
    differentiate = {"argnums": (0, 1), "has_aux": True}
    (_, expected), (gradients, x_gradient) = jax.value_and_grad(there, **differentiate)(weights, X)
    (_, found), (ours, x_ours) = jax.value_and_grad(here, **differentiate)(params, X)
    jax.tree.map(assert_close, found, expected)
    assert_close(x_ours, x_gradient, atol=1e-5)
    # Sums of 21 products each of magnitude one: rounding in another order.
    for one, other in zip(to_keras(recurrent, ours)[0], gradients, strict=True):
        assert_close(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("merge", "keras_name"),
    [("concatenate", "concat"), ("sum", "sum"), ("mean", "ave"), ("product", "mul")],
)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_two_bidirectional_layers_and_their_merging_are_kerass(merge, keras_name, return_sequences):
    layers = [
        keras.layers.Bidirectional(
            keras.layers.GRU(FEATURES, return_sequences=sequences), merge_mode=keras_name
        )
        for sequences in (True, return_sequences)
    ]
    network = keras.Sequential([keras.layers.Input(X.shape[1:]), *layers])
    recurrent = Recurrent(
        GRUCell(FEATURES, bias="double"),
        layers=2,
        direction="bidirectional",
        merge=merge,
        return_sequences=return_sequences,
    )
    params = from_keras(recurrent, [weights_of(layer) for layer in layers])
    assert_close(recurrent.apply({"params": params}, X)[0], np.asarray(network(X)))


@pytest.mark.parametrize("return_sequences", [True, False])
def test_lengths_are_kerass_masks(return_sequences):
    lengths = np.array([7, 4, 1])
    mask = np.arange(TIME) < lengths[:, None]
    layer = keras.layers.Bidirectional(
        keras.layers.LSTM(FEATURES, return_sequences=return_sequences, zero_output_for_mask=True)
    )
    expected = np.asarray(layer(X, mask=mask))
    recurrent = Recurrent(
        LSTMCell(FEATURES), direction="bidirectional", return_sequences=return_sequences
    )
    params = from_keras(recurrent, [weights_of(layer)])
    y, _ = recurrent.apply({"params": params}, X, jnp.asarray(lengths))
    assert_close(y, expected)
