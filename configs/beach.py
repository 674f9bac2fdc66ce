"""Beach or home: one threshold neuron learns seven days (7 of 7 right; under a second).

    nnjax train beach

The introductory example of the neuron: its output is 1 if w . x + b >= 0, else 0. Rosenblatt's
rule is applied to all seven days at once. The days are linearly separable, so all can be
classified correctly.
"""

from nnjax.data import Beach
from nnjax.learners import Supervised
from nnjax.models import SingleNeuron
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Beach(),
    learner=Supervised(
        model=SingleNeuron(), loss="perceptron", optimizer=SGD(learning_rate=0.1), reduction="sum"
    ),
    # Rosenblatt's rule oscillates until the last day is right, so the best weights are kept.
    training=Training(steps=500, batch_size=0, evaluate_every=10, monitor="train accuracy"),
)
