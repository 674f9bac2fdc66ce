"""Layers: Flax modules and pure functions, one mathematical idea a file."""

from nnjax.layers.attention import AdditiveAttention, CausalSelfAttention, DotAttention
from nnjax.layers.cells import (
    CoupledLSTMCell,
    FirstLSTMCell,
    FullyRecurrentCell,
    GRUCell,
    LSTMCell,
    PeepholeLSTMCell,
    SimpleCell,
)
from nnjax.layers.dense import Dense
from nnjax.layers.dropout import Dropout
from nnjax.layers.embedding import Embedding
from nnjax.layers.images.convolution import Conv
from nnjax.layers.images.pooling import average_pool, global_average_pool, max_pool
from nnjax.layers.neuron import Neuron
from nnjax.layers.positions import LearnedPositions
from nnjax.layers.recurrence.recurrent import Recurrent

__all__ = [
    "AdditiveAttention",
    "CausalSelfAttention",
    "Conv",
    "CoupledLSTMCell",
    "Dense",
    "DotAttention",
    "Dropout",
    "Embedding",
    "FirstLSTMCell",
    "FullyRecurrentCell",
    "GRUCell",
    "LSTMCell",
    "LearnedPositions",
    "Neuron",
    "PeepholeLSTMCell",
    "Recurrent",
    "SimpleCell",
    "average_pool",
    "global_average_pool",
    "max_pool",
]
