"""Networks assembled from layers. A model is a Flax module, and its fields are its configuration.

Every model here maps a batch of inputs to (batch, outputs) and takes ``train``, which switches
dropout on: ``model.apply(variables, inputs, train=False)``. The last activation belongs to the loss
where the loss is a cross-entropy (see :mod:`nnjax.losses`), so that the outputs are logits.
"""

from nnjax.models.cnn import CNN
from nnjax.models.mlp import MLP
from nnjax.models.neuron import SingleNeuron

__all__ = ["CNN", "MLP", "SingleNeuron"]
