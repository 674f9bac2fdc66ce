"""Recurrent networks that learn what they are there for, and go on exactly where they stopped."""

import jax
import numpy as np
import pytest

from nnjax.data import Adding, Addition, Copy, Parity, Text
from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import (
    EncoderDecoder,
    LanguageModel,
    SequenceClassifier,
    SequenceTagger,
    Transformer,
)
from nnjax.optimizers import Adam
from nnjax.runs.run import Run
from nnjax.training import Training, fit

TEXT = "the cat sat on the mat, and the dog sat on the log; so they sat.\n"


def train(model, data, *, learning_rate=0.01, epochs=10, batch_size=50, **options):
    """The summary of a training by Adam."""
    learner = Supervised(
        model, optimizer=Adam(learning_rate=learning_rate, clip_norm=1.0), **options
    )
    return fit(learner, data, Training(epochs=epochs, batch_size=batch_size)).summary


@pytest.mark.slow
def test_symbols_are_remembered_and_written():
    data = Copy(delay=8, symbols=2, alphabet=4, train=2000, validation=0, test=200).load()
    summary = train(SequenceTagger(Recurrent(LSTMCell(32))), data, epochs=12)
    assert summary["test"]["accuracy"] > 0.99


def test_parity_of_every_prefix():
    data = Parity(length=10, train=600, validation=0, test=200).load()
    summary = train(SequenceTagger(Recurrent(LSTMCell(16))), data, epochs=40)
    assert summary["test"]["accuracy"] > 0.99


@pytest.mark.slow
def test_two_numbers_are_remembered_over_a_long_sequence():
    data = Adding(length=20, varied=True, train=4000, validation=0, test=200).load()
    model = SequenceClassifier(Recurrent(GRUCell(32)))
    options = {"loss": "mean_squared_error", "metrics": ("mean_absolute_error",)}
    summary = train(model, data, epochs=10, **options)
    # To answer the mean has 1/24 = 0.042.
    assert summary["test"]["loss"] < 0.004


@pytest.mark.slow
def test_sums_of_digits_are_exact():
    data = Addition(digits=1, train=55, validation=0, test=0).load()
    cell = LSTMCell(32)
    model = EncoderDecoder(Recurrent(cell), Recurrent(cell), attention="dot")
    summary = train(model, data, epochs=80, batch_size=11, metrics=("sequence_accuracy",))
    assert summary["train"]["sequence_accuracy"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        LanguageModel(Recurrent(GRUCell(48)), embedding=16, dropout=0.05),
        Transformer(layers=2, heads=2, features=32, length=32),
    ],
    ids=["gru", "transformer"],
)
def test_a_verse_is_learned_by_heart(model, tmp_path):
    (tmp_path / "verse.txt").write_text(TEXT * 60)
    data = Text(path=tmp_path / "verse.txt", length=32, validation=0.1, test=0.0).load()
    summary = train(model, data, epochs=40, batch_size=25)
    # Only the first characters of a window leave any doubt.
    assert summary["validation"]["loss"] < 0.25


# The state carried from batch to batch ------------------------------------------------------------


@pytest.fixture
def lanes(tmp_path):
    (tmp_path / "verse.txt").write_text(TEXT * 40)
    source = Text(path=tmp_path / "verse.txt", length=16, lanes=8, validation=0.1, test=0.0)
    return source.load()


LEARNER = Supervised(LanguageModel(Recurrent(LSTMCell(16))), optimizer=Adam(learning_rate=0.01))


def test_a_run_that_carries_its_state_goes_on_exactly(lanes, tmp_path):
    steps = lanes.size("train") // 8
    options = {"batch_size": 8, "evaluate_train": False}
    whole = fit(LEARNER, lanes, Training(steps=3 * steps + 5, **options))
    run = Run.create("verse", LEARNER, directory=tmp_path / "run")
    fit(LEARNER, lanes, Training(steps=steps + 3, **options), run=run)
    resumed = fit(LEARNER, lanes, Training(steps=3 * steps + 5, **options), run=run, resume=True)
    for one, other in zip(
        jax.tree.leaves((whole.state.params, whole.state.model_state)),
        jax.tree.leaves((resumed.state.params, resumed.state.model_state)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(leaf != 0) for leaf in jax.tree.leaves(whole.state.model_state))


@pytest.mark.parametrize("batch_size", [0, 5])
def test_a_batch_must_be_the_lanes(lanes, batch_size):
    with pytest.raises(UserError, match="must be the number of lanes, 8"):
        fit(LEARNER, lanes, Training(epochs=1, batch_size=batch_size))
