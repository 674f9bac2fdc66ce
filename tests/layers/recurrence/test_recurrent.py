"""Recurrent layers over whole sequences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from marks import slow

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
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.layers.recurrence.scan import MOST_ONE_HOT

BATCH, TIME, INPUTS, FEATURES = 3, 6, 4, 5
GENERATOR = np.random.default_rng(0)
X = jnp.asarray(GENERATOR.normal(size=(BATCH, TIME, INPUTS)), jnp.float32)
CELLS = [
    SimpleCell(FEATURES),
    SimpleCell(FEATURES, activation="relu"),
    LSTMCell(FEATURES),
    LSTMCell(FEATURES, activation="relu", bias="double"),
    FirstLSTMCell(FEATURES),
    PeepholeLSTMCell(FEATURES),
    CoupledLSTMCell(FEATURES),
    GRUCell(FEATURES, bias="double"),
    GRUCell(FEATURES, reset="before"),
    FullyRecurrentCell(FEATURES, total_units=7),
]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=repr)
some_cells = pytest.mark.parametrize(
    "cell", [CELLS[0], CELLS[2], CELLS[7], *slow(CELLS[1], *CELLS[3:7], *CELLS[8:])], ids=repr
)
by_hand = pytest.mark.parametrize(
    "cell",
    [
        LSTMCell(FEATURES, bias="double"),
        GRUCell(FEATURES, bias="double"),
        CELLS[0],
        *slow(CELLS[1], CoupledLSTMCell(FEATURES, bias="double")),
    ],
    ids=repr,
)


def assert_close(ours, expected, atol=2e-6):
    def close(one, other):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=atol)

    jax.tree.map(close, ours, expected)


def objective(recurrent, variables, x, lengths=None, carry=None, **options):
    """A number that every output and state has a part in."""
    y, carry = recurrent.apply(variables, x, lengths, carry, **options)
    return jnp.sum(jnp.sin(y)) + sum(jnp.sum(s**2) for s in jax.tree.leaves(carry))


@every_cell
def test_a_layer_is_the_cell_step_by_step(cell):
    recurrent = Recurrent(cell)
    variables = drawn(recurrent, X)
    y, (final,) = apply(recurrent, variables, X)
    alone = {"params": variables["params"]["forward1"]}
    carry, step = cell.init_carry(BATCH), jax.jit(cell.apply)
    for time in range(TIME):
        carry, output = step(alone, carry, X[:, time])
        assert_close(y[:, time], output)
    assert_close(final, carry)


@every_cell
def test_backward_is_forward_on_the_reversed_sequence(cell):
    backward = Recurrent(cell, direction="backward")
    variables = drawn(backward, X)
    y, carry = apply(backward, variables, X)
    forward = {"params": {"forward1": variables["params"]["backward1"]}}
    expected, final = apply(Recurrent(cell), forward, X[:, ::-1])
    assert_close(y, expected[:, ::-1])
    assert_close(carry, final)


@by_hand
@pytest.mark.parametrize("lengths", [(6, 0, 2), *slow(None)])
def test_the_gradient_written_by_hand_is_jaxs(cell, lengths):
    with jax.enable_x64(True):
        options = {"layers": 2, "direction": "bidirectional", "recurrent_dropout": 0.3}
        recurrent, unrolled = Recurrent(cell, **options), Recurrent(cell, unroll=4, **options)
        # With remat the loop is left to JAX, gradient and all.
        plain = Recurrent(cell, remat=True, **options)
        variables = jax.tree.map(lambda w: w.astype(jnp.float64), drawn(recurrent, X))
        x = X.astype(jnp.float64)
        lengths = None if lengths is None else jnp.asarray(lengths)
        carry = jax.tree.map(lambda zeros: zeros + 0.3, recurrent.init_carry(BATCH, x.dtype))
        rngs = {"dropout": jax.random.key(2)}
        found, found_unrolled, expected = (
            jax.jit(
                jax.value_and_grad(
                    lambda v, x, c, module=module: objective(
                        module, v, x, lengths, c, train=True, rngs=rngs
                    ),
                    argnums=(0, 1, 2),
                )
            )(variables, x, carry)
            for module in (recurrent, unrolled, plain)
        )
        assert_close(found, expected, atol=1e-10)
        assert_close(found_unrolled, expected, atol=1e-10)


@by_hand
def test_the_gradient_written_by_hand_is_that_of_differences(cell):
    with jax.enable_x64(True):
        recurrent = Recurrent(cell)
        x = X.astype(jnp.float64)
        variables = jax.tree.map(lambda w: w.astype(jnp.float64), drawn(recurrent, X))
        check_grads(lambda v, x: objective(recurrent, v, x), (variables, x), order=1, modes=["rev"])


@functools.cache
def padding_program(cell):
    """Variables, and the compiled value and gradients of sequences with lengths."""
    recurrent = Recurrent(cell, direction="bidirectional", layer_norm=True)
    program = jax.value_and_grad(lambda v, x, n: objective(recurrent, v, x, n), (0, 1))
    return drawn(recurrent, X), jax.jit(program)


@pytest.mark.parametrize(
    "cell", [LSTMCell(FEATURES), GRUCell(FEATURES), FirstLSTMCell(FEATURES)], ids=repr
)
@settings(max_examples=20)
@given(st.lists(st.integers(0, TIME), min_size=BATCH, max_size=BATCH))
def test_padding_changes_neither_result_nor_gradient(cell, lengths):
    variables, program = padding_program(cell)
    lengths = jnp.asarray(lengths)
    inside = (jnp.arange(TIME) < lengths[:, None])[..., None]
    value, (gradient, x_gradient) = program(variables, jnp.where(inside, X, 0), lengths)
    more = ((0, 0), (0, 2), (0, 0))
    padded = jnp.pad(jnp.where(inside, X, jnp.nan), more, constant_values=jnp.inf)
    same, (same_gradient, same_x_gradient) = program(variables, padded, lengths)
    assert_close((same, same_gradient), (value, gradient), atol=1e-5)
    assert_close(same_x_gradient[:, :TIME], x_gradient)
    assert not same_x_gradient[:, TIME:].any()


@some_cells
@pytest.mark.parametrize(
    ("direction", "return_sequences"), [("forward", True), ("backward", True), ("backward", False)]
)
def test_lengths_are_each_sequence_alone(cell, direction, return_sequences):
    recurrent = Recurrent(cell, layers=2, direction=direction, return_sequences=return_sequences)
    variables = drawn(recurrent, X)
    lengths = (4, 0, 6)
    start = jax.tree.map(lambda zeros: zeros + 0.3, recurrent.init_carry(BATCH))
    y, carry = apply(recurrent, variables, X, jnp.asarray(lengths), start)
    for place, length in enumerate(lengths):

        def of_one(tree, place=place):
            return jax.tree.map(lambda a: a[place : place + 1], tree)

        if length == 0:
            assert_close(of_one(carry), of_one(start))
            if return_sequences:
                assert not y[place].any()
            continue
        alone, final = apply(recurrent, variables, of_one(X)[:, :length], carry=of_one(start))
        assert_close(of_one(carry), final)
        assert_close(of_one(y)[:, :length] if return_sequences else of_one(y), alone)
        if return_sequences:
            assert not y[place, length:].any()


@pytest.mark.parametrize("cell", [LSTMCell(FEATURES), GRUCell(FEATURES, reset="before")])
def test_the_carry_continues_a_sequence(cell):
    recurrent = Recurrent(cell, layers=2)
    variables = drawn(recurrent, X)
    expected, final = apply(recurrent, variables, X)
    first, carry = apply(recurrent, variables, X[:, :2])
    second, carry = apply(recurrent, variables, X[:, 2:], carry=carry)
    assert_close(jnp.concatenate([first, second], axis=1), expected)
    assert_close(carry, final)


@pytest.mark.parametrize("words", [7, MOST_ONE_HOT + 1])
@pytest.mark.parametrize(
    "cell",
    [LSTMCell(FEATURES), GRUCell(FEATURES, bias="double"), SimpleCell(FEATURES, bias="none")],
    ids=repr,
)
@pytest.mark.parametrize("direction", ["bidirectional", *slow("forward")])
def test_ids_are_one_hot_vectors(cell, direction, words):
    # Twice the same word, one that is padding, one past the vocabulary.
    ids = jnp.asarray([[1, 1, 3, -1, 0, 6], [2, words, 6, 6, words - 1, -1], [0, 0, -3, 4, 1, 2]])
    indexed = Recurrent(cell, direction=direction, layers=2, vocabulary=words)
    vectors = Recurrent(cell, direction=direction, layers=2)
    variables = drawn(indexed, ids)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(
        jnp.shape, drawn(vectors, jnp.zeros((1, 1, words)))
    )
    found = jax.jit(jax.value_and_grad(lambda v: objective(indexed, v, ids)))(variables)
    one_hot = jax.nn.one_hot(ids, words)
    assert not one_hot[0, 3].any()
    expected = jax.jit(jax.value_and_grad(lambda v: objective(vectors, v, one_hot)))(variables)
    assert_close(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("merge", "function"),
    [
        ("concatenate", lambda a, b: np.concatenate([a, b], axis=-1)),
        ("sum", lambda a, b: a + b),
        ("mean", lambda a, b: (a + b) / 2),
        ("product", lambda a, b: a * b),
    ],
)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_directions_are_merged(merge, function, return_sequences):
    options = {"cell": LSTMCell(FEATURES), "return_sequences": return_sequences}
    both = Recurrent(direction="bidirectional", merge=merge, **options)
    variables = drawn(both, X)
    ways = [Recurrent(direction=way, **options) for way in ("forward", "backward")]
    expected = function(*(apply(way, variables, X)[0] for way in ways))
    assert_close(apply(both, variables, X)[0], expected)


def test_layer_norm_normalises_the_outputs_of_every_layer():
    recurrent = Recurrent(LSTMCell(FEATURES), layers=2, layer_norm=True)
    variables = jax.jit(recurrent.init)(jax.random.key(0), X)
    assert set(variables["params"]) == {"forward1", "forward2", "norm1", "norm2"}
    y, _ = apply(recurrent, variables, X, jnp.asarray([6, 3, 0]))
    np.testing.assert_allclose(y[0].mean(-1), 0, atol=1e-6)
    # Flax adds 1e-6 to the variance, which is about 1e-3 here.
    np.testing.assert_allclose(y[0].std(-1), 1, atol=2e-2)
    assert not y[1, 3:].any()


def test_recurrent_dropout_drops_the_same_units_at_all_steps():
    features = 200
    cell = SimpleCell(features, bias="none", activation="identity")
    recurrent = Recurrent(cell, recurrent_dropout=0.4)
    # Each step adds 1 to the state, of which nothing is kept, or 1 / 0.6 of it.
    params = {"kernel": jnp.ones((1, features)), "recurrent_kernel": jnp.eye(features)}
    variables = {"params": {"forward1": params}}
    x = jnp.ones((1, 5, 1))
    rngs = {"dropout": jax.random.key(0)}
    y, _ = apply(recurrent, variables, x, train=True, rngs=rngs)
    assert_close(y[0, 1], np.where(y[0, 1] > 1, 1 + 1 / 0.6, 1))
    np.testing.assert_array_equal(y[0, 1] == 1, y[0, 4] == 1)
    # Five standard deviations of the mean of 200 draws.
    assert np.mean(y[0, 1] == 1) == pytest.approx(0.4, abs=5 * np.sqrt(0.24 / features))
    np.testing.assert_allclose(apply(recurrent, variables, x)[0][0, :, 0], np.arange(1, 6))


def test_dropout_acts_between_layers_only():
    rngs = {"dropout": jax.random.key(0)}
    one = Recurrent(LSTMCell(FEATURES), dropout=0.5)
    variables = drawn(one, X)
    y = apply(one, variables, X)[0]
    np.testing.assert_array_equal(apply(one, variables, X, train=True, rngs=rngs)[0], y)
    two = Recurrent(LSTMCell(FEATURES), layers=2, dropout=0.5)
    variables = drawn(two, X)
    y = apply(two, variables, X)[0]
    assert not np.allclose(apply(two, variables, X, train=True, rngs=rngs)[0], y)


@by_hand
def test_members_of_a_population_are_the_members_alone(cell):
    rates = jnp.asarray([0.0, 0.4])
    shape = Recurrent(cell, layers=2)
    members = [drawn(shape, X), jax.tree.map(lambda w: 0.7 * w, drawn(shape, X))]
    lengths = jnp.asarray([6, 0, 2])

    def run(variables, rate):
        module = Recurrent(cell, layers=2, dropout=rate, recurrent_dropout=rate)
        rngs = {"dropout": jax.random.key(3)}
        return jax.value_and_grad(
            lambda v: objective(module, v, X, lengths, train=True, rngs=rngs)
        )(variables)

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.jit(jax.vmap(run))(stacked, rates)
    for place, member in enumerate(members):
        alone = jax.jit(run)(member, rates[place])
        assert_close(jax.tree.map(lambda a, p=place: a[p], together), alone, atol=1e-5)


@some_cells
def test_bfloat16_stays_bfloat16_and_near(cell):
    recurrent = Recurrent(cell, layers=2, layer_norm=True)
    variables = drawn(recurrent, X)
    expected, _ = apply(recurrent, variables, X)

    def cast(tree):
        return jax.tree.map(lambda w: w.astype(jnp.bfloat16), tree)

    lengths = jnp.full(BATCH, TIME)
    y, carry = apply(recurrent, cast(variables), cast(X), lengths)
    assert {leaf.dtype for leaf in (y, *jax.tree.leaves(carry))} == {jnp.dtype("bfloat16")}
    # bfloat16 keeps eight bits; two layers and six steps round them several times.
    np.testing.assert_allclose(y.astype(jnp.float32), expected, atol=0.15)
    gradient = jax.jit(jax.grad(lambda v: objective(recurrent, v, cast(X), lengths)))
    gradient = gradient(cast(variables))
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype("bfloat16")}


def test_with_ids_the_dtype_is_that_of_the_parameters():
    recurrent = Recurrent(LSTMCell(FEATURES), vocabulary=9)
    ids = jnp.zeros((2, 3), jnp.int32)
    variables = jax.jit(recurrent.init)(jax.random.key(0), ids)
    assert apply(recurrent, variables, ids)[0].dtype == jnp.float32
    cast = jax.tree.map(lambda w: w.astype(jnp.bfloat16), variables)
    assert apply(recurrent, cast, ids)[0].dtype == jnp.bfloat16


@pytest.mark.parametrize(("cell", "after"), [(LSTMCell(FEATURES), 3), (GRUCell(FEATURES), 6)])
def test_gradients_of_kernels_are_products_after_the_loop(cell, after):
    recurrent = Recurrent(cell)
    gradient = jax.grad(lambda variables: objective(recurrent, variables, X))
    program = jax.make_jaxpr(gradient)(drawn(recurrent, X)).jaxpr
    loops = [e for e in program.eqns if e.primitive.name == "scan"]
    assert [str(loop).count("dot_general[") for loop in loops] == [2, 1]
    # One for each kernel and for the input; of a GRU, each in two blocks.
    outside = [e.primitive.name for e in program.eqns]
    assert outside.count("dot_general") == after


def test_inputs_of_the_wrong_kind_are_refused():
    ids = jnp.zeros((2, 3), jnp.int32)
    with pytest.raises(UserError, match="set the vocabulary"):
        Recurrent(LSTMCell(FEATURES)).init(jax.random.key(0), ids)
    with pytest.raises(UserError, match=r"with a vocabulary \(9\) the inputs are integer ids"):
        Recurrent(LSTMCell(FEATURES), vocabulary=9).init(jax.random.key(0), X)
    recurrent = Recurrent(LSTMCell(FEATURES))
    variables = drawn(recurrent, X)
    with pytest.raises(UserError, match=r"lengths are \(2,\) for a batch of 3"):
        recurrent.apply(variables, X, jnp.asarray([1, 2]))
    with pytest.raises(UserError, match="2 states for 1 layers and directions"):
        recurrent.apply(variables, X, carry=Recurrent(recurrent.cell, layers=2).init_carry(BATCH))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "number of layers"),
        ({"dropout": 1.0}, "dropout rate"),
        ({"recurrent_dropout": -0.1}, "recurrent dropout rate"),
        ({"vocabulary": 0}, "vocabulary"),
        ({"unroll": 0}, "unrolled steps"),
        ({"direction": "both"}, "unknown direction 'both'"),
        ({"merge": "sums"}, "did you mean 'sum'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Recurrent(**options)
