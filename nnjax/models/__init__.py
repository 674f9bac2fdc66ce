"""Models: networks assembled from layers, as Flax modules whose fields are their configuration.

Every model maps a batch of inputs to logits or values (batch, outputs), or (batch, time, outputs).
``train`` switches dropout on: ``model.apply(variables, inputs, train=False)``. If the loss is a
cross-entropy, it applies the last activation itself (see :mod:`nnjax.losses`), so the outputs are
logits.

A sequence of words is integer ids (batch, time), which are negative after its end. Models that
generate text have two more methods, called by ``model.apply(variables, ..., method="start")`` and
``"advance"``, which :mod:`nnjax.generation` uses. ``start(batch, length)`` of a language model, or
``start(source, length)`` of a model with a source, returns the initial carry.
``advance(carry, tokens)`` reads one word of each text (batch,) and returns the next carry and the
logits (batch, vocabulary) of the following word.
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
