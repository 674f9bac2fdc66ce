"""cuDNN's LSTM beside ours: on a GPU itself, elsewhere JAX's reference of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from marks import slow

from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence import cudnn
from nnjax.layers.recurrence.recurrent import Recurrent

ON_GPU = jax.default_backend() == "gpu"

CASES = {
    "plain": {},
    "backward": {"direction": "backward"},
    "two layers, both ways": {"direction": "bidirectional", "layers": 2},
    "no bias": {"cell": LSTMCell(5, bias="none")},
    "two biases": {"cell": LSTMCell(5, bias="double")},
    "ids": {"vocabulary": 4},
}


@pytest.fixture(autouse=True)
def reference(monkeypatch):
    """Off a GPU, JAX's reference in place of cuDNN: what is tested is what we give and take."""
    if ON_GPU:
        return

    def lstm(x, h, c, weights, lengths, inputs, units, layers, dropout, both):
        # cuDNN would fail on it.
        assert lengths.dtype == jnp.int32
        parts = rnn.unpack_lstm_weights(weights, inputs, units, layers, both)
        return rnn.lstm_ref(x, h, c, *parts, lengths, inputs, units, layers, dropout, both)

    monkeypatch.setattr(rnn, "lstm", lstm)
    monkeypatch.setattr(cudnn, "is_usable", lambda cell, dtype: True)


@pytest.mark.parametrize("with_lengths", [True, *slow(False)])
@pytest.mark.parametrize("case", CASES)
def test_equals_our_loop(case, with_lengths):
    options = {"cell": LSTMCell(5), **CASES[case]}
    scan, other = Recurrent(**options), Recurrent(**options, engine="cudnn")
    keys = jax.random.split(jax.random.key(1), 3)
    x = jax.random.normal(keys[0], (4, 7, 3))
    if case == "ids":
        x = jax.random.randint(keys[0], (4, 7), -1, 4)
    lengths = jnp.array([7, 3, 0, 1]) if with_lengths else None
    variables = jax.jit(scan.init)(keys[1], x, lengths)
    states = jax.tree.leaves(scan.init_carry(4))
    carry = jax.tree.unflatten(
        jax.tree.structure(scan.init_carry(4)),
        [jax.random.normal(jax.random.fold_in(keys[2], n), s.shape) for n, s in enumerate(states)],
    )

    def loss(layer, variables, carry):
        outputs, after = layer.apply(variables, x, lengths, carry)
        weighted = jax.tree.map(lambda leaf: jnp.sum(leaf * jnp.cos(leaf)), (outputs, after))
        return sum(jax.tree.leaves(weighted)), (outputs, after)

    with jax.default_matmul_precision("highest"):
        gradient = jax.value_and_grad(loss, argnums=(1, 2), has_aux=True)
        wanted = jax.jit(gradient, static_argnums=0)(scan, variables, carry)
        found = jax.jit(gradient, static_argnums=0)(other, variables, carry)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), found, wanted)


@pytest.mark.skipif(ON_GPU, reason="there is a GPU")
def test_without_a_gpu_our_loop_runs(monkeypatch):
    monkeypatch.undo()
    layer = Recurrent(LSTMCell(5), engine="cudnn")
    x = jnp.ones((2, 3, 4))
    assert layer.init_with_output(jax.random.key(0), x)[0][0].shape == (2, 3, 5)


@pytest.mark.parametrize(
    ("cell", "dtype", "message"),
    [
        (GRUCell(5), jnp.float32, "an LSTM with tanh, not this GRUCell; leave engine='scan'"),
        (LSTMCell(5, activation="relu"), jnp.float32, "an LSTM with tanh"),
        (LSTMCell(5), jnp.bfloat16, "float32, not bfloat16"),
    ],
)
def test_what_cudnn_cannot_do_is_refused(monkeypatch, cell, dtype, message):
    monkeypatch.undo()
    with pytest.raises(UserError, match=message):
        Recurrent(cell, engine="cudnn").init(jax.random.key(0), jnp.ones((2, 3, 4), dtype))


def test_options_that_do_not_go_together():
    with pytest.raises(UserError, match="no recurrent dropout"):
        Recurrent(LSTMCell(5), engine="cudnn", recurrent_dropout=0.1)
    with pytest.raises(UserError, match="engine='fast' must be"):
        Recurrent(LSTMCell(5), engine="fast")  # pyright: ignore[reportArgumentType]
