"""From one sequence to another, with and without attention."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn

from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import EncoderDecoder

LSTM = Recurrent(cell=LSTMCell(features=6))
BOTH = Recurrent(cell=GRUCell(features=4), layers=2, direction="bidirectional")
INPUTS = {
    "source": jnp.array([[1, 2, 3, 4, -1], [4, 2, -1, -1, -1]]),
    "target": jnp.array([[0, 3, 5, -1], [0, 2, 2, 1]]),
}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
MODELS = {
    "plain": EncoderDecoder(LSTM, LSTM, "none", 5, 6),
    "dot": EncoderDecoder(BOTH, LSTM, "dot", 5, 6, embedding=6, tied=True),
    "additive": EncoderDecoder(LSTM, LSTM, "additive", 5, 6, embedding=3),
}


@pytest.fixture(scope="module", params=MODELS)
def trained(request):
    model = MODELS[request.param]
    return model, drawn(model, INPUTS)


def test_one_word_at_a_time_is_teacher_forcing(trained):
    model, variables = trained
    whole = apply(model, variables, INPUTS)
    assert whole.shape == (2, 4, 6)
    carry = apply(model, variables, INPUTS["source"], length=4, method="start")
    for time in range(4):
        carry, logits = apply(model, variables, carry, INPUTS["target"][:, time], method="advance")
        np.testing.assert_allclose(logits, whole[:, time], **TOLERANCE)


def test_the_decoder_goes_on_from_the_state_of_the_encoder():
    model = MODELS["plain"]
    variables = drawn(model, INPUTS)
    params = variables["params"]
    lengths = jnp.array([4, 2])
    source, target = (jax.nn.one_hot(INPUTS[name], n) for name, n in (("source", 5), ("target", 6)))
    _, state = apply(LSTM, {"params": params["encoding"]}, source, lengths)
    outputs, _ = apply(LSTM, {"params": params["decoding"]}, target, carry=state)
    expected = outputs @ params["output"]["kernel"].T + params["output"]["bias"]
    np.testing.assert_allclose(apply(model, variables, INPUTS), expected, **TOLERANCE)
    assert "initial" not in params


def test_attention_weights_cover_the_source_and_nothing_else(trained):
    model, variables = trained
    if model.attention == "none":
        with pytest.raises(UserError, match="this model has no attention"):
            model.apply(variables, INPUTS, method="attention_weights")
        return
    weights = apply(model, variables, INPUTS, method="attention_weights")
    assert weights.shape == (2, 4, 5)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(jnp.where(INPUTS["source"][:, None] < 0, weights, 0), 0)


def test_an_empty_source_is_legal(trained):
    model, variables = trained
    inputs = {**INPUTS, "source": jnp.full((2, 3), -1)}
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(model.apply(v, inputs) ** 2)))(variables)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_a_decoder_that_looks_ahead_is_refused():
    with pytest.raises(UserError, match="set its direction to forward"):
        EncoderDecoder(LSTM, dataclasses.replace(LSTM, direction="backward"))


def test_tied_weights_need_an_embedding_of_the_right_width():
    with pytest.raises(UserError, match="6 features, not None"):
        EncoderDecoder(LSTM, LSTM, tied=True)
