"""Recurrent cells, one step at a time, against their equations in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.errors import UserError
from nnjax.layers.cells import (
    CoupledLSTMCell,
    FirstLSTMCell,
    FullyRecurrentCell,
    GRUCell,
    LSTMCell,
    PeepholeLSTMCell,
    SimpleCell,
)

BATCH, INPUTS, FEATURES = 3, 4, 5
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(BATCH, INPUTS)).astype(np.float32)
S = GENERATOR.normal(size=(BATCH, FEATURES)).astype(np.float32)
C = GENERATOR.normal(size=(BATCH, FEATURES)).astype(np.float32)
CELLS = [
    SimpleCell,
    LSTMCell,
    FirstLSTMCell,
    PeepholeLSTMCell,
    CoupledLSTMCell,
    GRUCell,
    FullyRecurrentCell,
]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def phi(name):
    return {"tanh": np.tanh, "relu": relu}[name]


def drawn(cell, x=X):
    """Parameters of which none is zero."""
    init = jax.eval_shape(cell.init, jax.random.key(0), cell.init_carry(len(x)), x)
    params = init["params"]
    return {name: GENERATOR.normal(size=w.shape).astype(np.float32) for name, w in params.items()}


def pre(cell, params, gate, x, s):
    """X W + b + s U + b' of one gate."""
    part = slice(*(np.array([0, 1]) + cell.gate_names.index(gate)) * cell.units)
    biases = [params[n][part] for n in ("bias", "recurrent_bias") if n in params]
    products = x @ params["kernel"][:, part] + s @ params["recurrent_kernel"][:, part]
    return products + sum(biases)


def step(cell, params, carry):
    return jax.jit(cell.apply)({"params": params}, carry, X)


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=2e-6)


options = pytest.mark.parametrize(
    ("bias", "activation"), [("none", "tanh"), ("single", "relu"), ("double", "tanh")]
)


@options
def test_simple(bias, activation):
    cell = SimpleCell(FEATURES, activation, bias)
    params = drawn(cell)
    carry, output = step(cell, params, S)
    assert_close(carry, phi(activation)(pre(cell, params, "h", X, S)))
    assert_close(output, carry)


@options
def test_lstm(bias, activation):
    cell = LSTMCell(FEATURES, activation, bias)
    params = drawn(cell)
    (h, c), output = step(cell, params, (S, C))
    i, f, o = (sigmoid(pre(cell, params, gate, X, S)) for gate in "ifo")
    expected = f * C + i * phi(activation)(pre(cell, params, "g", X, S))
    assert_close(c, expected)
    assert_close(h, o * phi(activation)(expected))
    assert_close(output, h)


@options
def test_lstm_of_the_first_generation(bias, activation):
    cell = FirstLSTMCell(FEATURES, activation, bias)
    params = drawn(cell)
    carry, output = step(cell, params, S)
    i, f, o = (sigmoid(pre(cell, params, gate, X, S)) for gate in "ifo")
    assert_close(carry, f * S + i * phi(activation)(pre(cell, params, "s", X, o * S)))
    assert_close(output, carry)


@options
def test_lstm_with_peepholes(bias, activation):
    cell = PeepholeLSTMCell(FEATURES, activation, bias)
    params = drawn(cell)
    (h, c), output = step(cell, params, (S, C))
    p_i, p_f, p_o = params["peephole"]
    i = sigmoid(pre(cell, params, "i", X, S) + p_i * C)
    f = sigmoid(pre(cell, params, "f", X, S) + p_f * C)
    expected = f * C + i * phi(activation)(pre(cell, params, "g", X, S))
    o = sigmoid(pre(cell, params, "o", X, S) + p_o * expected)
    assert_close(c, expected)
    assert_close(h, o * phi(activation)(expected))
    assert_close(output, h)


@options
def test_lstm_with_coupled_gates(bias, activation):
    cell = CoupledLSTMCell(FEATURES, activation, bias)
    params = drawn(cell)
    (h, c), output = step(cell, params, (S, C))
    f, o = (sigmoid(pre(cell, params, gate, X, S)) for gate in "fo")
    expected = f * C + (1 - f) * phi(activation)(pre(cell, params, "g", X, S))
    assert_close(c, expected)
    assert_close(h, o * phi(activation)(expected))
    assert_close(output, h)


@options
def test_gru_that_resets_before(bias, activation):
    cell = GRUCell(FEATURES, activation, bias, reset="before")
    params = drawn(cell)
    carry, output = step(cell, params, S)
    r, z = (sigmoid(pre(cell, params, gate, X, S)) for gate in "rz")
    assert_close(carry, z * S + (1 - z) * phi(activation)(pre(cell, params, "n", X, r * S)))
    assert_close(output, carry)


@options
def test_gru_that_resets_after(bias, activation):
    cell = GRUCell(FEATURES, activation, bias)
    params = drawn(cell)
    carry, output = step(cell, params, S)
    r, z = (sigmoid(pre(cell, params, gate, X, S)) for gate in "rz")
    product = S @ params["recurrent_kernel"][:, 2 * FEATURES :]
    product = product + params.get("recurrent_bias", np.zeros(3 * FEATURES))[2 * FEATURES :]
    x_n = X @ params["kernel"][:, 2 * FEATURES :]
    x_n = x_n + params.get("bias", np.zeros(3 * FEATURES))[2 * FEATURES :]
    assert_close(carry, z * S + (1 - z) * phi(activation)(x_n + r * product))
    assert_close(output, carry)


@options
def test_fully_recurrent(bias, activation):
    cell = FullyRecurrentCell(2, activation, bias, total_units=FEATURES, steps=2)
    params = drawn(cell)
    carry, output = step(cell, params, S)
    once = phi(activation)(pre(cell, params, "y", X, S))
    assert_close(carry, phi(activation)(pre(cell, params, "y", X, once)))
    assert_close(output, carry[:, :2])


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_runs_in_ones_own_scan(cell):
    cell = cell(features=FEATURES)
    sequence = jnp.asarray(GENERATOR.normal(size=(6, BATCH, INPUTS)), jnp.float32)
    start = cell.init_carry(BATCH)
    variables = jax.jit(cell.init)(jax.random.key(0), start, sequence[0])
    last, outputs = jax.jit(
        lambda variables: jax.lax.scan(lambda c, x: cell.apply(variables, c, x), start, sequence)
    )(variables)
    carry, output, step = start, None, jax.jit(cell.apply)
    for x in sequence:
        carry, output = step(variables, carry, x)
    assert outputs.shape == (6, BATCH, FEATURES)
    jax.tree.map(assert_close, last, carry)
    assert_close(outputs[-1], output)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_a_cell_computes_in_the_dtype_of_its_input(cell, dtype):
    cell = cell(features=FEATURES)
    x = X.astype(dtype)
    start = cell.init_carry(BATCH, dtype)
    variables = jax.eval_shape(cell.init, jax.random.key(0), start, x)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    carry, output = jax.eval_shape(cell.apply, variables, start, x)
    assert {leaf.dtype for leaf in (*jax.tree.leaves(carry), output)} == {jnp.dtype(dtype)}


def biases(cell):
    """The initial bias of each gate."""
    init = jax.jit(cell.init)
    params = init(jax.random.key(0), cell.init_carry(1), jnp.zeros((1, INPUTS)))["params"]
    parts = np.split(np.asarray(params["bias"]), len(cell.gate_names))
    return dict(zip(cell.gate_names, parts, strict=True))


@pytest.mark.parametrize("cell", [LSTMCell, FirstLSTMCell, PeepholeLSTMCell, CoupledLSTMCell])
def test_the_forget_gate_starts_open(cell):
    for gate, part in biases(cell(features=FEATURES, forget_bias=1.5)).items():
        np.testing.assert_array_equal(part, 1.5 if gate == "f" else 0)


@pytest.mark.parametrize("cell", [LSTMCell, FirstLSTMCell, PeepholeLSTMCell, CoupledLSTMCell])
def test_at_a_timescale_input_gates_open_as_rarely_as_memories_fade(cell):
    gates = biases(cell(features=FEATURES, timescale=101))
    spans = np.exp(gates["f"])
    assert ((spans >= 1) & (spans <= 100)).all()
    for gate, part in gates.items():
        if gate == "i":
            np.testing.assert_array_equal(part, -gates["f"])
        elif gate != "f":
            np.testing.assert_array_equal(part, 0)


def test_at_a_timescale_there_are_units_for_every_span():
    cell = LSTMCell(features=4000, timescale=101)
    gates = dict(zip(cell.gate_names, cell.initial_bias(jax.random.key(0)), strict=True))
    # Uniform in [1, 100].
    quantiles = np.quantile(np.exp(gates["f"]), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(quantiles, [1, 25.75, 50.5, 75.25, 100], atol=2.5)


def test_a_timescale_may_be_traced():
    spans = jax.vmap(lambda t: LSTMCell(8, timescale=t).initial_bias(jax.random.key(0))[1])
    short, long = spans(jnp.asarray([10.0, 1000.0]))
    assert (short < long).all()


def test_a_timescale_too_short_is_refused():
    with pytest.raises(UserError, match="timescale must be above 2, not 2"):
        LSTMCell(8, timescale=2)


def test_each_gate_is_drawn_by_itself():
    cell = LSTMCell(64)
    params = cell.init(jax.random.key(0), cell.init_carry(1), jnp.zeros((1, 8)))["params"]
    blocks = np.split(np.asarray(params["recurrent_kernel"]), 4, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(64), atol=1e-5)
    assert not np.allclose(blocks[0], blocks[1])
    # Uniform in +-sqrt(6 / (8 + 64)), as for one gate alone.
    assert np.abs(params["kernel"]).max() == pytest.approx(np.sqrt(6 / 72), rel=0.02)


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="number of features must be at least 1, not 0"):
        LSTMCell(0)
    with pytest.raises(UserError, match="9 output units are more than all 5 units"):
        FullyRecurrentCell(9, total_units=5)
    with pytest.raises(UserError, match="number of steps"):
        FullyRecurrentCell(2, total_units=5, steps=0)
