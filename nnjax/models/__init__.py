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

from nnjax.models.dense.mlp import MLP
from nnjax.models.dense.neuron import SingleNeuron
from nnjax.models.images.cnn import CNN
from nnjax.models.sequences.captioner import Captioner
from nnjax.models.sequences.encoder_decoder import EncoderDecoder
from nnjax.models.sequences.language_model import LanguageModel
from nnjax.models.sequences.sequence_classifier import SequenceClassifier
from nnjax.models.sequences.sequence_tagger import SequenceTagger
from nnjax.models.sequences.transformer import Transformer

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
