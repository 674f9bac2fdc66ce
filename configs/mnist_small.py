"""500 digits only: overfitting, and the effect of a penalty on the weights (half a minute).

    nnjax train mnist_small             # published: 98.8% train, 82% test; measured: 100%, 87%
    nnjax train mnist_small --l2 5      # published: 93.2% train, 87% test; measured: 96.4%, 87%

784-30-10 with sigmoids, the output error a - v (the binary cross-entropy), and full-batch gradient
descent with learning rate 4e-5 for 20,000 steps on 500 training digits; 100 test digits.
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
        # The learning rate is for the sum over all 500 digits, as published, not for their mean.
        reduction="sum",
    ),
    training=Training(steps=20_000, batch_size=0, evaluate_every=200),
)
