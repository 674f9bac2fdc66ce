"""BLEU of translations."""

import sys

import pytest

from nnjax.data.words import Tokeniser
from nnjax.errors import UserError
from nnjax.generation import bleu


def test_bleu_of_equal_sentences_is_100():
    pytest.importorskip("sacrebleu")
    sentences = ["a man walks on the street .", "two dogs play in the snow ."]
    assert bleu(sentences, sentences) == pytest.approx(100)
    assert bleu([one.upper() for one in sentences], sentences, lowercase=True) == pytest.approx(100)


def test_brevity_is_punished():
    pytest.importorskip("sacrebleu")
    # Every n-gram is right; the penalty is exp(1 - 8 / 4).
    score = bleu(["a b c d"], ["a b c d e f g h"])
    assert score == pytest.approx(36.79, abs=0.01)


@pytest.mark.parametrize(
    "sentence",
    [
        "it costs 3.5 million",
        "about 1,000 people ran",
        "the girls' team won",
        "$5.50 each at 10:30",
        "$5.50 each",
        "version 2.0.1 is out",
    ],
)
def test_a_translation_right_word_for_word_scores_100(sentence):
    pytest.importorskip("sacrebleu")
    tokeniser = Tokeniser("words", lower_case=True)
    written = tokeniser.join(tokeniser.split(sentence))
    assert bleu([written], [sentence], lowercase=True) == pytest.approx(100)


def test_an_unknown_word_counts_as_one_word():
    pytest.importorskip("sacrebleu")
    reference = "a tall man walks on the street"
    unknown = bleu(["a <unknown> man walks on the street"], [reference])
    assert unknown == bleu(["a short man walks on the street"], [reference])
    assert unknown == pytest.approx(64.3, abs=0.05)


def test_sentences_come_in_pairs():
    with pytest.raises(UserError, match="2 translations and 1 references"):
        bleu(["a", "b"], ["a"])


def test_without_sacrebleu_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(UserError, match='pip install "nnjax\\[bleu\\]"'):
        bleu(["a"], ["a"])
