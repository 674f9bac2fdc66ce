"""Writing texts: prompts, ends, chunks, and models that keep a state or a cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn

from nnjax.errors import UserError
from nnjax.generation import Sampling, answer, generate
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import CNN, MLP, Captioner, EncoderDecoder, LanguageModel, Transformer

WORDS = 11
CELLS = Recurrent(cell=GRUCell(features=6), layers=2)
MODELS = {
    "recurrent": LanguageModel(CELLS, WORDS),
    "embedded": LanguageModel(CELLS, WORDS, embedding=6, tied=True, last_only=True),
    "transformer": Transformer(2, 2, 8, vocabulary=WORDS),
}
GREEDY = Sampling(temperature=0)


def fitted(model, inputs=None):
    """Parameters large enough that words differ in likelihood."""
    inputs = np.zeros((1, 3), np.int32) if inputs is None else inputs
    return drawn(model, inputs, scale=0.7)


def greedy_by_reading_again(model, variables, prompt, length):
    """The slow way: the whole text is read for every word."""
    text = np.full((1, len(prompt) + length), -1)
    text[0, : len(prompt)] = prompt
    for place in range(len(prompt), text.shape[1]):
        logits = apply(model, variables, text)
        text[0, place] = jnp.argmax(logits if model.last_only else logits[:, place - 1])
    return text[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_greedy_text_is_that_of_reading_everything_again(name):
    model = MODELS[name]
    variables = fitted(model)
    prompts = [[1, 2, 3, 4, 5], [7]]
    written = generate(model, variables, prompts, 7, sampling=GREEDY, chunk=4)
    for prompt, row in zip(prompts, written.tolist(), strict=True):
        assert row == greedy_by_reading_again(model, variables, prompt, 7)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_depends_on_its_prompt_its_number_and_the_seed_alone(name):
    model = MODELS[name]
    variables = fitted(model)
    alone = generate(model, variables, [[1, 2]], 9, seed=3)
    among = generate(model, variables, [[1, 2], [5], [1, 2]], 9, seed=3)
    np.testing.assert_array_equal(alone[0], among[0])
    assert among[2].tolist() != among[0].tolist()
    assert generate(model, variables, [[1, 2]], 9, seed=4).tolist() != alone.tolist()


def test_chunks_change_nothing_and_arrive_as_they_are_written():
    model = MODELS["recurrent"]
    variables = fitted(model)
    prompts, chunks = [[1, 2, 3], [4]], []
    whole = generate(model, variables, prompts, 10, chunk=64)
    pieces = generate(model, variables, prompts, 10, chunk=5, callback=chunks.append)
    np.testing.assert_array_equal(whole, pieces)
    assert [chunk.shape for chunk in chunks] == [(2, 5), (2, 5), (2, 2)]
    together = np.concatenate(chunks, axis=1)
    for row, expected in zip(together, whole, strict=True):
        np.testing.assert_array_equal(row[row >= 0], expected)


def test_a_text_stops_at_its_end():
    model = MODELS["recurrent"]
    variables = fitted(model)
    free = generate(model, variables, [[1], [2], [3]], 40)
    end, chunks = int(free[0, 12]), []
    ended = generate(model, variables, [[1], [2], [3]], 40, end=end, callback=chunks.append)
    for row, whole in zip(ended, free, strict=True):
        place = whole.tolist().index(end) if end in whole else 40
        np.testing.assert_array_equal(row[:place], whole[:place])
        assert set(row[place:]) <= {-1}


def test_no_chunk_is_written_after_all_have_ended():
    model = MODELS["recurrent"]
    variables = fitted(model)
    end = int(generate(model, variables, [[1]], 1)[0, 0])
    chunks = []
    generate(model, variables, [[1]], 20, end=end, chunk=5, callback=chunks.append)
    assert len(chunks) == 1


def test_an_end_in_the_prompt_does_not_count():
    model = MODELS["recurrent"]
    variables = fitted(model)
    for end in range(WORDS):
        written = generate(model, variables, [[1, end, 3]], 4, sampling=GREEDY)
        if end not in written:
            break
    stopped = generate(model, variables, [[1, end, 3]], 4, sampling=GREEDY, end=end)
    np.testing.assert_array_equal(stopped, written)


def test_an_empty_prompt_starts_with_no_word():
    model = MODELS["recurrent"]
    variables = fitted(model)
    written = generate(model, variables, [[]], 3, sampling=GREEDY)
    logits = apply(model, variables, jnp.array([[-1]]))
    assert written[0, 0] == jnp.argmax(logits[0, 0])


def test_answers_to_a_source_are_those_of_teacher_forcing():
    model = EncoderDecoder(CELLS, CELLS, "dot", WORDS, WORDS, embedding=5)
    source = jnp.array([[1, 2, 3, -1], [4, 5, -1, -1]])
    variables = fitted(model, {"source": source, "target": source})
    written = answer(model, variables, source, 6, start=0, end=1, chunk=4)
    for row, ids in zip(written, source, strict=True):
        words = row[row >= 0]
        # Padded to one length, for which one program is compiled.
        target = np.full((1, 7), -1)
        target[0, : len(words) + 1] = [0, *words]
        logits = apply(model, variables, {"source": ids[None], "target": target})
        best = jnp.argmax(logits[0], axis=-1)
        np.testing.assert_array_equal(best[: len(words)], words)
        if len(words) < 6:
            assert best[len(words)] == 1


@pytest.mark.slow
def test_captions():
    model = Captioner(CNN((2,), (3,), hidden=(), outputs=4), CELLS, WORDS)
    images = jax.random.normal(jax.random.key(0), (3, 8, 8))
    target = jnp.zeros((3, 2), jnp.int32)
    variables = fitted(model, {"source": images, "target": target})
    written = answer(model, variables, images, 3, start=0, end=10)
    logits = model.apply(variables, {"source": images, "target": target})
    best = jnp.argmax(logits[:, 0], axis=-1)
    np.testing.assert_array_equal(written[:, 0], jnp.where(best == 10, -1, best))


def test_a_population_writes_under_vmap():
    model = MODELS["transformer"]
    one = fitted(model)
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf, 0.5 * leaf]), one)

    def first(variables):
        carry = model.apply(variables, 2, 4, method="start")
        return model.apply(variables, carry, jnp.array([1, 2]), method="advance")[1]

    together, first = jax.jit(jax.vmap(first))(many), jax.jit(first)
    for index in range(3):
        alone = first(jax.tree.map(lambda leaf, index=index: leaf[index], many))
        np.testing.assert_allclose(together[index], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "prompts", "length", "message"),
    [
        (MODELS["recurrent"], [], 3, "there is no prompt"),
        (MODELS["recurrent"], [[1]], 0, "must be at least 1, not 0"),
        (MLP(), [[1]], 3, "a MLP cannot generate"),
        (
            Transformer(1, 1, 4, vocabulary=WORDS, positions="learned", length=4),
            [[1, 2]],
            4,
            "a text of 5 words is longer than the 4 learned positions",
        ),
    ],
)
def test_what_cannot_be_is_refused(model, prompts, length, message):
    with pytest.raises(UserError, match=message):
        generate(model, fitted(model), prompts, length)


def test_seeds_are_those_of_training():
    model = MODELS["recurrent"]
    variables = fitted(model)
    assert generate(model, variables, [[1]], 3, seed=2**32 - 1).shape == (1, 3)
    for seed in (-1, 2**32):
        with pytest.raises(UserError, match="seed"):
            generate(model, variables, [[1]], 3, seed=seed)
    with pytest.raises(UserError, match="number of words in a chunk"):
        generate(model, variables, [[1]], 3, chunk=0)


def test_each_kind_of_model_has_its_function():
    cell = GRUCell(4)
    translator = EncoderDecoder(Recurrent(cell), Recurrent(cell), vocabulary=5, target_vocabulary=5)
    with pytest.raises(
        UserError, match="a EncoderDecoder does not begin with a batch; call answer"
    ):
        generate(translator, {}, [[1]], 3)
    with pytest.raises(UserError, match="a LanguageModel does not begin with a source; call gen"):
        answer(MODELS["recurrent"], {}, np.ones((1, 3), np.int32), 3, start=1, end=2)
