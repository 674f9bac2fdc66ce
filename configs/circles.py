"""A circle inside a circle: a 2-10-2 perceptron (published 86.0% train, 73% test; seconds).

    nnjax train circles
    nnjax train circles --l2 0.01

Sigmoid activations and the output error a - v, which is the gradient of the binary cross-entropy;
full-batch gradient descent, learning rate 0.01 for 10,000 steps. ``--l2`` is the lambda of the
penalty (lambda / 2) sum w^2 on the weights. Measured: 87.3% train, 88% test.
"""

from nnjax.data import Circles
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    # With this noise the circles overlap. With this seed the network makes about as many errors as
    # with the published draw.
    data=Circles(examples=500, noise=0.1, seed=3),
    learner=Supervised(
        model=MLP(features=(10,), activation="sigmoid", kernel_init="normal"),
        loss="binary_cross_entropy",
        optimizer=SGD(learning_rate=0.01),
        reduction="sum",
    ),
    training=Training(steps=10_000, batch_size=0, evaluate_every=100),
)
