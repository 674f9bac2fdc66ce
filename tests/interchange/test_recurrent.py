"""Weights of recurrent layers out and in again, and what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import drawn

from nnjax.errors import UserError
from nnjax.interchange import from_keras, from_torch, to_keras, to_torch
from nnjax.layers.cells import FirstLSTMCell, GRUCell, LSTMCell, SimpleCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import MLP, LanguageModel

X = jnp.ones((2, 3, 4))


def assert_same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("bias", ["none", "single", "double"])
@pytest.mark.parametrize("cell", [SimpleCell, LSTMCell, GRUCell])
def test_torch_gives_back_what_it_got(cell, bias):
    recurrent = Recurrent(cell(features=5, bias=bias), layers=2, direction="bidirectional")
    params = drawn(recurrent, X)["params"]
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
    params = drawn(recurrent, X)["params"]
    assert_same(params, from_keras(recurrent, to_keras(recurrent, params)))


def test_two_biases_become_one_where_that_is_the_same():
    double = Recurrent(LSTMCell(5, bias="double"))
    single = Recurrent(LSTMCell(5))
    params = drawn(double, X)["params"]
    folded = from_torch(single, to_torch(double, params))
    expected, _ = double.apply({"params": params}, X)
    y, _ = single.apply({"params": folded}, X)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_two_biases_stay_two_where_it_is_not():
    double = Recurrent(GRUCell(5, bias="double"))
    state = to_torch(double, drawn(double, X)["params"])
    with pytest.raises(UserError, match="set its bias to 'double'"):
        from_torch(Recurrent(GRUCell(5)), state)


def test_biases_are_not_lost():
    recurrent = Recurrent(LSTMCell(5))
    state = to_torch(recurrent, drawn(recurrent, X)["params"])
    with pytest.raises(UserError, match="the cell has none"):
        from_torch(Recurrent(LSTMCell(5, bias="none")), state)


def test_weights_that_do_not_fit_are_refused():
    recurrent = Recurrent(LSTMCell(5))
    params = drawn(recurrent, X)["params"]
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
            from_torch(one, to_torch(more, drawn(more, X)["params"]))
        for give in (to_torch, to_keras):
            with pytest.raises(UserError, match=r"weights of other layers, (forward2|backward1):"):
                give(one, drawn(more, X)["params"])


def test_layers_that_normalise_are_not_those_of_others():
    normed = Recurrent(LSTMCell(5), layer_norm=True)
    plain = Recurrent(LSTMCell(5))
    params = drawn(normed, X)["params"]
    for give in (to_torch, to_keras):
        with pytest.raises(UserError, match="no layer normalisation: set layer_norm to False"):
            give(normed, params)
    with pytest.raises(UserError, match="no layer normalisation"):
        from_torch(normed, to_torch(plain, drawn(plain, X)["params"]))
    with pytest.raises(UserError, match="no layer normalisation"):
        from_keras(normed, to_keras(plain, drawn(plain, X)["params"]))


def test_what_is_no_recurrent_module_is_refused():
    model = LanguageModel(Recurrent(LSTMCell(5)))
    for exchange in (from_torch, from_keras, to_torch, to_keras):
        with pytest.raises(UserError, match=r"a LanguageModel: give its recurrent layers"):
            exchange(model, {})
        with pytest.raises(UserError, match=r"an? LSTMCell alone: give Recurrent\(cell\)"):
            exchange(LSTMCell(5), {})
        with pytest.raises(UserError, match=r"not with MLP: give the nnjax.layers.Recurrent"):
            exchange(MLP(), {})


def test_weights_in_another_container_are_refused():
    recurrent = Recurrent(LSTMCell(5))
    params = drawn(recurrent, X)["params"]
    state = to_torch(recurrent, params)
    with pytest.raises(UserError, match=r"takes layer.state_dict\(\), not list"):
        from_torch(recurrent, list(state.values()))
    with pytest.raises(UserError, match=r"but 'rnn.weight_ih_l0': give the state_dict of the"):
        from_torch(recurrent, {f"rnn.{name}": value for name, value in state.items()})
    with pytest.raises(UserError, match="of an LSTM with proj_size"):
        from_torch(recurrent, state | {"weight_hr_l0": np.zeros((2, 5))})
    for given in (to_keras(recurrent, params)[0], {"lstm": state}):
        with pytest.raises(UserError, match=r"\[layer.get_weights\(\)\]"):
            from_keras(recurrent, given)
    for give in (to_torch, to_keras):
        with pytest.raises(UserError, match=r"give variables\['params'\]"):
            give(recurrent, {"params": params})
        with pytest.raises(UserError, match=r"are a list: give the dict variables\['params'\]"):
            give(recurrent, [params])


def test_parameters_of_another_module_are_refused():
    recurrent = Recurrent(LSTMCell(5))
    params = drawn(recurrent, X)["params"]
    for give in (to_torch, to_keras):
        with pytest.raises(UserError, match=r"'forward1/kernel' has the shape \(4, 20\)"):
            give(Recurrent(LSTMCell(6)), params)
        with pytest.raises(UserError, match="has bias, kernel, recurrent_kernel instead of kernel"):
            give(Recurrent(LSTMCell(5, bias="none")), params)


def test_a_layer_that_does_not_read_the_one_before_is_refused():
    both = Recurrent(LSTMCell(5), layers=2, direction="bidirectional")
    params = drawn(both, X)["params"]
    state, layers = to_torch(both, params), to_keras(both, params)
    state["weight_ih_l1"] = state["weight_ih_l1"][:, :5]
    with pytest.raises(UserError, match=r"'weight_ih_l1' has the shape \(20, 5\) .* \(20, 10\)"):
        from_torch(both, state)
    with pytest.raises(UserError, match=r"direction of layer 2' has the shape \(4, 20\)"):
        from_keras(both, layers[::-1])


def test_a_keras_gru_that_resets_before_the_product_asks_for_that_cell():
    before = Recurrent(GRUCell(5, reset="before"))
    with pytest.raises(UserError, match=r"set the cell's reset to 'after' if .* else 'before'"):
        from_keras(Recurrent(GRUCell(5)), to_keras(before, drawn(before, X)["params"]))


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_half_precision_becomes_float32(dtype):
    recurrent = Recurrent(LSTMCell(5))
    halves = jax.tree.map(lambda x: np.asarray(x.astype(dtype)), drawn(recurrent, X)["params"])
    wide = jax.tree.map(lambda x: x.astype(np.float32), halves)
    state, layers = to_torch(recurrent, halves), to_keras(recurrent, halves)
    assert all(array.dtype == np.float32 for array in [*state.values(), *layers[0]])
    state = {name: array.astype(dtype) for name, array in state.items()}
    layers = [[array.astype(dtype) for array in layer] for layer in layers]
    assert_same(wide, from_torch(recurrent, state))
    assert_same(wide, from_keras(recurrent, layers))


@pytest.mark.parametrize("dtype", [jnp.float8_e4m3fn, np.int8, np.complex64])
def test_weights_that_are_no_floats_are_refused(dtype):
    recurrent = Recurrent(LSTMCell(5))
    params = drawn(recurrent, X)["params"]
    state, (layer,) = to_torch(recurrent, params), to_keras(recurrent, params)
    state["weight_hh_l0"] = state["weight_hh_l0"].astype(dtype)
    with pytest.raises(UserError, match=r"'weight_hh_l0' is .*: give it as float32"):
        from_torch(recurrent, state)
    layer[1] = layer[1].astype(dtype)
    with pytest.raises(UserError, match=r"'recurrent kernel of the forward .*: give it as float32"):
        from_keras(recurrent, [layer])


def test_tensors_that_numpy_cannot_read_are_refused():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("Got unsupported ScalarType BFloat16")

    recurrent = Recurrent(LSTMCell(5))
    state = to_torch(recurrent, drawn(recurrent, X)["params"]) | {"bias_ih_l0": Tensor()}
    with pytest.raises(UserError, match=r"'bias_ih_l0' cannot be read .*BFloat16\).*float\(\)"):
        from_torch(recurrent, state)
