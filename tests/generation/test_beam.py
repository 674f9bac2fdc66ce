"""Beam search: against greedy search and against trying every sequence."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn
from marks import slow

from nnjax.errors import UserError
from nnjax.generation import answer, beam_search
from nnjax.layers.cells import LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import EncoderDecoder

WORDS, START, END, LENGTH = 5, 0, 1, 4
CELLS = Recurrent(cell=LSTMCell(features=6))
SOURCE = jnp.array([[1, 2, 3, -1], [4, 2, -1, -1], [3, 3, 3, 3]])


@pytest.fixture(
    scope="module",
    params=[
        "additive",
        *slow("none", "dot"),
    ],
)
def trained(request):
    model = EncoderDecoder(CELLS, CELLS, request.param, WORDS, WORDS)
    return model, drawn(model, {"source": SOURCE, "target": SOURCE}, scale=1.0)


def log_probability(model, variables, source, words):
    """Of each row of ``words`` (count, length) after the start, given one source."""
    target = jnp.concatenate([jnp.full((len(words), 1), START), words[:, :-1]], axis=1)
    sources = jnp.tile(source, (len(words), 1))
    logits = apply(model, variables, {"source": sources, "target": target})
    scores = jnp.take_along_axis(jax.nn.log_softmax(logits), words[..., None], axis=2)[..., 0]
    return np.asarray(scores)


def every_answer(model, variables, source, penalty):
    """(score, words) of all sequences of at most LENGTH words, the best first."""
    words = jnp.array(list(itertools.product(range(WORDS), repeat=LENGTH)))
    scores, found = log_probability(model, variables, source, words), {}
    for row, values in zip(words.tolist(), scores, strict=True):
        count = row.index(END) + 1 if END in row else LENGTH
        answered = tuple(row[: count - 1] if END in row else row)
        found[answered] = values[:count].sum() / ((5 + count) / 6) ** penalty
    return sorted(((score, words) for words, score in found.items()), reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_wide_beams_find_the_best_of_all_sequences(trained, penalty):
    model, variables = trained
    ids, scores = beam_search(
        model,
        variables,
        SOURCE,
        LENGTH,
        start=START,
        end=END,
        beams=WORDS ** (LENGTH - 1),
        length_penalty=penalty,
    )
    for row, found, source in zip(ids, scores, SOURCE, strict=True):
        expected = every_answer(model, variables, source, penalty)[:5]
        np.testing.assert_allclose(found[:5], [score for score, _ in expected], rtol=1e-4)
        assert tuple(row[0][row[0] >= 0]) == expected[0][1]


def test_one_beam_is_greedy(trained):
    model, variables = trained
    greedy = answer(model, variables, SOURCE, LENGTH, start=START, end=END)
    ids, _ = beam_search(
        model, variables, SOURCE, LENGTH, start=START, end=END, beams=1, length_penalty=0.0
    )
    for row, expected in zip(ids[:, 0], greedy, strict=True):
        np.testing.assert_array_equal(row, expected)


def test_scores_are_those_of_the_words_and_do_not_fall_with_more_beams(trained):
    model, variables = trained
    best = []
    for beams in (1, 3):
        ids, scores = beam_search(
            model, variables, SOURCE, 8, start=START, end=END, beams=beams, length_penalty=0.0
        )
        best.append(scores[:, 0])
        for row, score, source in zip(ids[:, 0], scores[:, 0], SOURCE, strict=True):
            words = [*row[row >= 0].tolist(), END][:8]
            values = log_probability(model, variables, source, jnp.array([words]))
            np.testing.assert_allclose(score, values.sum(), rtol=1e-4)
        assert np.all(np.diff(scores, axis=1) <= 0)


def test_a_source_does_not_depend_on_the_others(trained):
    model, variables = trained
    options = {"start": START, "end": END, "beams": 2}
    together, _ = beam_search(model, variables, SOURCE, 9, **options)
    for index in range(len(SOURCE)):
        alone, _ = beam_search(model, variables, SOURCE[index : index + 1], 9, **options)
        np.testing.assert_array_equal(alone[0], together[index])


def test_more_beams_than_sequences():
    model = EncoderDecoder(CELLS, CELLS, "none", WORDS, 2)
    variables = drawn(model, {"source": SOURCE, "target": SOURCE[:, :2]})
    ids, scores = beam_search(model, variables, SOURCE, 2, start=START, end=END, beams=9)
    # "", "0" and "0 0".
    assert np.all(scores[:, :3] > -100)
    np.testing.assert_array_equal(scores[:, 3:], np.float32(-1e9))
    assert np.all(ids[:, 3:] == -1)


def test_no_beam_is_refused(trained):
    with pytest.raises(UserError, match="number of beams must be at least 1, not 0"):
        beam_search(*trained, SOURCE, 3, start=START, end=END, beams=0)


@pytest.mark.parametrize("penalty", [float("nan"), float("inf"), -1.0])
def test_a_length_penalty_that_ranks_nothing_is_refused(trained, penalty):
    with pytest.raises(UserError, match="length penalty"):
        beam_search(*trained, SOURCE, LENGTH, start=START, end=END, length_penalty=penalty)


def test_no_source_at_all_is_refused(trained):
    with pytest.raises(UserError, match="there is no source to answer"):
        beam_search(*trained, SOURCE[:0], LENGTH, start=START, end=END)
