"""Beach or home: one threshold neuron learns seven days (7 of 7 right, under a second).

    nnjax train beach

The motivating example of the neuron: 1 if w . x + b >= 0, else 0, with Rosenblatt's rule on all
seven days at once. They are linearly separable, so every one ends on its side.
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
    # The best is kept: Rosenblatt's rule oscillates until the last day is right.
    training=Training(steps=500, batch_size=0, evaluate_every=10, monitor="train accuracy"),
)
