"""What holds for every model of sequences: padding, precision, populations; and their inputs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, drawn
from marks import slow_among

from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.models import (
    CNN,
    Captioner,
    EncoderDecoder,
    LanguageModel,
    SequenceClassifier,
    SequenceTagger,
    Transformer,
)
from nnjax.precision import cast_floats

CELLS = Recurrent(cell=GRUCell(features=6))
BOTH = Recurrent(cell=LSTMCell(features=5), direction="bidirectional")
IDS = jnp.array([[1, 2, 3, 4], [4, 2, -1, -1], [3, -1, -1, -1]])
TARGET = jnp.array([[0, 2, 1], [0, 4, 4], [0, 1, -1]])
IMAGES = jax.random.normal(jax.random.key(0), (3, 8, 8))
FLOATS = {"sequence": IMAGES[:, :4], "lengths": jnp.array([4, 2, 1])}

CASES = {
    "language model": (LanguageModel(CELLS, 5, embedding=4), IDS),
    "last word": (LanguageModel(BOTH, 5, last_only=True), IDS),
    "transformer": (Transformer(1, 2, 8, vocabulary=5), IDS),
    "classifier of words": (SequenceClassifier(BOTH, 5, outputs=3), IDS),
    "classifier by mean": (SequenceClassifier(BOTH, outputs=3, pooling="mean"), FLOATS),
    "classifier by max": (SequenceClassifier(BOTH, 5, 4, outputs=3, pooling="max"), IDS),
    "tagger": (SequenceTagger(BOTH, outputs=3), FLOATS),
    "translator": (
        EncoderDecoder(BOTH, CELLS, "additive", 5, 5, embedding=4),
        {"source": IDS, "target": TARGET},
    ),
    "captioner": (
        Captioner(CNN((2,), (3,), hidden=(), outputs=4), CELLS, 5),
        {"source": IMAGES, "target": TARGET},
    ),
}


SLOW = ("last word", "classifier by max", "translator", "captioner")


@pytest.fixture(
    scope="module",
    params=slow_among(CASES, SLOW),
)
def case(request):
    model, inputs = CASES[request.param]
    return model, inputs, drawn(model, inputs)


def longer(inputs):
    """The same with three more steps of padding, as much of it as can be garbage."""
    if isinstance(inputs, jax.Array):
        return jnp.pad(inputs, ((0, 0), (0, 3)), constant_values=-1)
    if "lengths" not in inputs:
        return {name: longer(array) if array.ndim == 2 else array for name, array in inputs.items()}
    padded = jnp.pad(inputs["sequence"], ((0, 0), (0, 3), (0, 0)))
    past = jnp.arange(padded.shape[1]) >= inputs["lengths"][:, None]
    return {**inputs, "sequence": jnp.where(past[..., None], jnp.nan, padded)}


def real(outputs, inputs):
    """The outputs before the ends."""
    if outputs.ndim == 2:
        return outputs
    if isinstance(inputs, jax.Array):
        lengths = jnp.sum(inputs >= 0, axis=1)
    elif "lengths" in inputs:
        lengths = inputs["lengths"]
    else:
        lengths = jnp.sum(inputs["target"] >= 0, axis=1)
    inside = jnp.arange(outputs.shape[1]) < lengths[:, None]
    return jnp.where(inside[..., None], outputs, 0)


def test_padding_changes_neither_outputs_nor_gradients(case):
    model, inputs, variables = case

    def objective(variables, inputs):
        outputs = real(model.apply(variables, inputs), inputs)
        return jnp.sum(outputs**2), outputs

    measure = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (_, outputs), gradient = measure(variables, inputs)
    (_, padded), of_padded = measure(variables, longer(inputs))
    if outputs.ndim == 3:
        padded = padded[:, : outputs.shape[1]]
    np.testing.assert_allclose(padded, outputs, rtol=1e-5, atol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), of_padded, gradient
    )


def test_bfloat16(case):
    model, inputs, variables = case
    half = apply(model, *cast_floats((variables, inputs), "bfloat16"))
    assert half.dtype == jnp.bfloat16
    # Eight bits of significand through several layers.
    whole = apply(model, variables, inputs)
    np.testing.assert_allclose(real(half, inputs), real(whole, inputs), atol=0.05)


def test_a_population_with_a_dropout_rate_each(case):
    model, inputs, _ = case
    variables = [drawn(model, inputs, seed=seed) for seed in (2, 3)]
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *variables)

    def outputs(variables, rate):
        member = dataclasses.replace(model, dropout=rate)
        return member.apply(variables, inputs, train=True, rngs={"dropout": jax.random.key(0)})

    together = jax.jit(jax.vmap(outputs))(many, jnp.array([0.0, 0.5]))
    without = apply(model, variables[0], inputs)
    np.testing.assert_allclose(together[0], without, rtol=1e-4, atol=1e-5)
    alone = jax.jit(outputs)(variables[1], 0.5)
    np.testing.assert_allclose(together[1], alone, rtol=1e-4, atol=1e-5)
    assert not np.allclose(together[1], apply(model, variables[1], inputs), atol=1e-3)


def test_images_are_read_by_rows_or_pixels():
    rows = SequenceClassifier(CELLS, outputs=3)
    variables = drawn(rows, IMAGES)
    assert variables["params"]["recurrence"]["forward1"]["kernel"].shape[0] == 8
    with_channel = apply(rows, variables, IMAGES[..., None])
    np.testing.assert_array_equal(with_channel, apply(rows, variables, IMAGES))
    pixels = dataclasses.replace(rows, steps="pixels")
    variables = drawn(pixels, IMAGES)
    assert variables["params"]["recurrence"]["forward1"]["kernel"].shape[0] == 1
    as_sequence = apply(rows, variables, IMAGES.reshape(3, 64, 1))
    np.testing.assert_allclose(apply(pixels, variables, IMAGES), as_sequence, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_a_sequence_may_be_empty(pooling):
    model = SequenceClassifier(BOTH, 5, outputs=3, pooling=pooling)
    variables = drawn(model, IDS)
    logits = apply(model, variables, IDS.at[1].set(-1))
    np.testing.assert_allclose(logits[1], variables["params"]["output"]["bias"], atol=1e-7)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (jnp.zeros((2, 3), jnp.int32), "the vocabulary of the model is not set"),
        (jnp.zeros((2, 3, 4), jnp.int32), "a batch of ids has the shape"),
        (jnp.zeros((2, 3)), r"not examples of shape \(3,\)"),
    ],
)
def test_what_is_no_sequence_is_refused(inputs, message):
    with pytest.raises(UserError, match=message):
        SequenceClassifier(CELLS).init(jax.random.key(0), inputs)


def test_captions_one_word_at_a_time():
    model, inputs = CASES["captioner"]
    variables = drawn(model, inputs)
    whole = apply(model, variables, inputs)
    carry = jax.jit(lambda source: model.apply(variables, source, 3, method="start"))(
        inputs["source"]
    )
    advance = jax.jit(lambda *arguments: model.apply(variables, *arguments, method="advance"))
    for time in range(3):
        carry, logits = advance(carry, TARGET[:, time])
        np.testing.assert_allclose(logits, whole[:, time], rtol=1e-5, atol=1e-6)
