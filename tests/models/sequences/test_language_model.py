"""The recurrent language model: words in, next words out, and a state that goes on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn

from nnjax.errors import UserError
from nnjax.layers.cells import LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import LanguageModel

CELLS = Recurrent(cell=LSTMCell(features=6))
MODEL = LanguageModel(CELLS, vocabulary=7)
TOKENS = jax.random.randint(jax.random.key(0), (3, 8), 0, 7)
FRESH, GOES_ON = jnp.ones(3, jnp.int32), jnp.zeros(3, jnp.int32)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(scope="module")
def variables():
    return drawn(MODEL, TOKENS)


def run_on(variables, inputs):
    """Outputs, and the variables with the state after."""
    outputs, updated = apply(MODEL, variables, inputs, mutable=("carry",))
    return outputs, {**variables, **updated}


def test_a_one_hot_vector_is_an_index_into_the_kernel(variables):
    layers = {"params": variables["params"]["recurrence"]}
    outputs, _ = CELLS.apply(layers, jax.nn.one_hot(TOKENS, 7))
    last = variables["params"]["output"]
    expected = outputs @ last["kernel"].T + last["bias"]
    np.testing.assert_allclose(apply(MODEL, variables, TOKENS), expected, **TOLERANCE)


def test_the_last_word_alone(variables):
    model = dataclasses.replace(MODEL, last_only=True)
    padded = TOKENS.at[0, 3:].set(-1)
    whole = apply(MODEL, variables, padded)
    expected = jnp.stack([whole[0, 2], whole[1, 7], whole[2, 7]])
    np.testing.assert_allclose(apply(model, variables, padded), expected, **TOLERANCE)


def test_tied_weights_have_one_table():
    model = LanguageModel(CELLS, 7, embedding=6, tied=True)
    variables = drawn(model, TOKENS)
    assert set(variables["params"]) == {"embed", "recurrence"}
    assert apply(model, variables, TOKENS).shape == (3, 8, 7)


def test_a_state_carried_on_makes_two_halves_a_whole(variables):
    _, state = run_on(variables, {"tokens": TOKENS[::-1], "fresh": FRESH})
    first, state = run_on(state, {"tokens": TOKENS[:, :5], "fresh": FRESH})
    second, _ = run_on(state, {"tokens": TOKENS[:, 5:], "fresh": GOES_ON})
    whole = apply(MODEL, variables, TOKENS)
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, **TOLERANCE)


def test_rows_that_are_fresh_start_with_the_zero_state(variables):
    _, state = run_on(variables, {"tokens": TOKENS, "fresh": FRESH})
    fresh = jnp.array([0, 1, 0])
    outputs, _ = run_on(state, {"tokens": TOKENS, "fresh": fresh})
    alone = apply(MODEL, variables, TOKENS)
    np.testing.assert_allclose(outputs[1], alone[1], **TOLERANCE)
    assert not np.allclose(outputs[0], alone[0], atol=1e-3)


def test_the_state_carried_on_is_that_before_the_padding(variables):
    _, padded = run_on(variables, {"tokens": TOKENS.at[:, 5:].set(-1), "fresh": FRESH})
    _, short = run_on(variables, {"tokens": TOKENS[:, :5], "fresh": FRESH})
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **TOLERANCE), padded["carry"], short["carry"]
    )


def test_the_first_state_is_zero_and_evaluation_leaves_the_state_alone(variables):
    inputs = {"tokens": TOKENS, "fresh": GOES_ON}
    begun = jax.jit(MODEL.init)(jax.random.key(1), inputs)
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(begun["carry"]))
    _, state = run_on(variables, inputs)
    # Not mutable: from the zero state, whatever the rows are.
    expected = apply(MODEL, variables, TOKENS)
    np.testing.assert_allclose(apply(MODEL, state, inputs), expected, **TOLERANCE)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_learner_carries_the_state_from_step_to_step(precision):
    learner = Supervised(MODEL, precision=precision)
    inputs = {"tokens": TOKENS, "fresh": FRESH}
    state = learner.init(jax.random.key(0), {"inputs": inputs})
    step = jax.jit(learner.step)
    batch = {"inputs": inputs, "targets": jnp.roll(TOKENS, -1, axis=1)}
    after, _ = step(state, batch)
    again, _ = step(after, {**batch, "inputs": {**inputs, "fresh": GOES_ON}})
    carried = jax.tree.leaves(again.model_state["carry"])
    assert all(leaf.dtype == jnp.float32 and jnp.any(leaf != 0) for leaf in carried)
    before = jax.tree.leaves(after.model_state["carry"])
    assert all(jnp.any(a != b) for a, b in zip(carried, before, strict=True))


def test_batches_that_go_on_have_the_same_size(variables):
    _, state = run_on(variables, {"tokens": TOKENS, "fresh": FRESH})
    with pytest.raises(UserError, match="has 3 rows, and this batch has 2"):
        run_on(state, {"tokens": TOKENS[:2], "fresh": FRESH[:2]})


def test_what_looks_ahead_is_refused():
    both = dataclasses.replace(CELLS, direction="bidirectional")
    with pytest.raises(UserError, match="would see the words it predicts"):
        LanguageModel(both, 7)
    model = LanguageModel(both, 7, last_only=True)
    variables = drawn(model, TOKENS)
    assert apply(model, variables, TOKENS).shape == (3, 7)
    with pytest.raises(UserError, match="only a forward language model"):
        model.apply(variables, 3, 8, method="start")


def test_tied_weights_need_an_embedding_of_the_right_width():
    with pytest.raises(UserError, match="6 features, not 5"):
        LanguageModel(CELLS, 7, embedding=5, tied=True)


def test_the_vocabulary_must_be_known():
    with pytest.raises(UserError, match="the vocabulary of the model is not set"):
        LanguageModel(CELLS).init(jax.random.key(0), TOKENS)
