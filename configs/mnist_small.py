"""500 digits only: overfitting, and what a penalty on weights does about it (half a minute).

    nnjax train mnist_small             # published: 98.8% train, 82% test
    nnjax train mnist_small --l2 5      # published: 93.2% train, 87% test

784-30-10, sigmoids, output error a - v (the binary cross-entropy), full-batch gradient descent with
eta 4e-5 for 20,000 steps on 500 training digits; 100 test digits.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(train=500, test=100),
    learner=Supervised(
        model=MLP(features=(30,), activation="sigmoid"),
        loss="binary_cross_entropy",
        optimizer=SGD(learning_rate=4e-5),
        reduction="sum",
    ),
    training=Training(steps=20_000, batch_size=0, evaluate_every=200),
)
