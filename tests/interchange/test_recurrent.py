"""Weights of recurrent layers out and in again, and what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.errors import UserError
from nnjax.interchange import from_keras, from_torch, to_keras, to_torch
from nnjax.layers.cells import FirstLSTMCell, GRUCell, LSTMCell, SimpleCell
from nnjax.layers.recurrence.recurrent import Recurrent

X = jnp.ones((2, 3, 4))


def drawn(recurrent):
    params = recurrent.init(jax.random.key(0), X)["params"]
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    draws = [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return tree.unflatten(draws)


def assert_same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("bias", ["none", "single", "double"])
@pytest.mark.parametrize("cell", [SimpleCell, LSTMCell, GRUCell])
def test_torch_gives_back_what_it_got(cell, bias):
    recurrent = Recurrent(cell(features=5, bias=bias), layers=2, direction="bidirectional")
    params = drawn(recurrent)
    assert_same(params, from_torch(recurrent, to_torch(recurrent, params)))


@pytest.mark.parametrize(
    "cell",
    [
        SimpleCell(5),
        LSTMCell(5),
        LSTMCell(5, bias="none"),
        GRUCell(5, reset="before"),
        GRUCell(5, bias="double"),
        GRUCell(5),
    ],
)
@pytest.mark.parametrize("direction", ["backward", "bidirectional"])
def test_keras_gives_back_what_it_got(cell, direction):
    recurrent = Recurrent(cell, layers=2, direction=direction)
    params = drawn(recurrent)
    assert_same(params, from_keras(recurrent, to_keras(recurrent, params)))


def test_two_biases_become_one_where_that_is_the_same():
    double = Recurrent(LSTMCell(5, bias="double"))
    single = Recurrent(LSTMCell(5))
    params = drawn(double)
    folded = from_torch(single, to_torch(double, params))
    expected, _ = double.apply({"params": params}, X)
    y, _ = single.apply({"params": folded}, X)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_two_biases_stay_two_where_it_is_not():
    double = Recurrent(GRUCell(5, bias="double"))
    state = to_torch(double, drawn(double))
    with pytest.raises(UserError, match="set its bias to 'double'"):
        from_torch(Recurrent(GRUCell(5)), state)


def test_biases_are_not_lost():
    recurrent = Recurrent(LSTMCell(5))
    state = to_torch(recurrent, drawn(recurrent))
    with pytest.raises(UserError, match="the cell has none"):
        from_torch(Recurrent(LSTMCell(5, bias="none")), state)


def test_weights_that_do_not_fit_are_refused():
    recurrent = Recurrent(LSTMCell(5))
    params = drawn(recurrent)
    state = to_torch(recurrent, params)
    with pytest.raises(UserError, match=r"'weight_ih_l0' has the shape \(20, 4\)"):
        from_torch(Recurrent(LSTMCell(6)), state)
    with pytest.raises(UserError, match="no weight 'weight_ih_l1'"):
        from_torch(Recurrent(LSTMCell(5), layers=2), state)
    with pytest.raises(UserError, match="no layer 'forward2'"):
        to_torch(Recurrent(LSTMCell(5), layers=2), params)
    with pytest.raises(UserError, match="of 1 layers for a module of 2"):
        from_keras(Recurrent(LSTMCell(5), layers=2), to_keras(recurrent, params))
    with pytest.raises(UserError, match="not 2 or 3 a direction"):
        from_keras(recurrent, [[*to_keras(recurrent, params)[0], np.zeros(3)]])


def test_cells_that_the_others_do_not_have_are_refused():
    with pytest.raises(UserError, match="PyTorch has no FirstLSTMCell"):
        to_torch(Recurrent(FirstLSTMCell(5)), {})
    with pytest.raises(UserError, match="Keras has no LSTMCell with the activation 'relu'"):
        to_keras(Recurrent(LSTMCell(5, activation="relu")), {})
    with pytest.raises(UserError, match="resets after"):
        to_torch(Recurrent(GRUCell(5, reset="before")), {})
    with pytest.raises(UserError, match="backwards alone"):
        to_torch(Recurrent(GRUCell(5), direction="backward"), {})


def test_weights_of_other_layers_are_not_dropped():
    one, two = Recurrent(LSTMCell(5)), Recurrent(LSTMCell(5), layers=2)
    both = Recurrent(LSTMCell(5), direction="bidirectional")
    for more, name in ((two, "weight_ih_l1"), (both, "weight_ih_l0_reverse")):
        with pytest.raises(UserError, match=rf"weights of other layers, .*{name}"):
            from_torch(one, to_torch(more, drawn(more)))
        for give in (to_torch, to_keras):
            with pytest.raises(UserError, match=r"weights of other layers, (forward2|backward1):"):
                give(one, drawn(more))


def test_layers_that_normalise_are_not_those_of_others():
    normed = Recurrent(LSTMCell(5), layer_norm=True)
    plain = Recurrent(LSTMCell(5))
    params = drawn(normed)
    for give in (to_torch, to_keras):
        with pytest.raises(UserError, match="no layer normalisation: set layer_norm to False"):
            give(normed, params)
    with pytest.raises(UserError, match="no layer normalisation"):
        from_torch(normed, to_torch(plain, drawn(plain)))
    with pytest.raises(UserError, match="no layer normalisation"):
        from_keras(normed, to_keras(plain, drawn(plain)))
