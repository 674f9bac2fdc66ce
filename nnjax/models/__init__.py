"""Networks assembled from layers. A model is a Flax module, and its fields are its configuration.

Every model here maps a batch of inputs to logits or values (batch, outputs), or (batch, time,
outputs), and takes ``train``, which switches dropout on: ``model.apply(variables, inputs,
train=False)``. The last activation belongs to the loss where the loss is a cross-entropy (see
:mod:`nnjax.losses`), so that the outputs are logits.

Sequences of words are integer ids (batch, time), negative after their end. Models that generate
also have two methods, called by ``model.apply(variables, ..., method="start")`` and ``"advance"``;
:mod:`nnjax.generation` is built on them. Language models start as ``start(batch, length)``, models
that answer to a source as ``start(source, length)``; ``advance(carry, tokens)`` reads one word each
(batch,) and returns the carry after and the logits of the next words (batch, vocabulary).
"""

from nnjax.models.captioner import Captioner
from nnjax.models.cnn import CNN
from nnjax.models.encoder_decoder import EncoderDecoder
from nnjax.models.language_model import LanguageModel
from nnjax.models.mlp import MLP
from nnjax.models.neuron import SingleNeuron
from nnjax.models.sequence_classifier import SequenceClassifier
from nnjax.models.sequence_tagger import SequenceTagger
from nnjax.models.transformer import Transformer

__all__ = [
    "CNN",
    "MLP",
    "Captioner",
    "EncoderDecoder",
    "LanguageModel",
    "SequenceClassifier",
    "SequenceTagger",
    "SingleNeuron",
    "Transformer",
]
