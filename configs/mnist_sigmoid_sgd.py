"""1,000 digits, mean squared error, batches of 10 (published 96.0 / 87.5 / 87.0%; seconds).

    nnjax train mnist_sigmoid_sgd

784-30-10 with sigmoids, stochastic gradient descent with learning rate 1 for 100 epochs; 200
digits are for validation. Measured: 98.0 / 94.5 / 87.9%.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(train=1_000, validation=200),
    learner=Supervised(
        model=MLP(features=(30,), activation="sigmoid", output_activation="sigmoid"),
        loss="mean_squared_error",
        optimizer=SGD(learning_rate=1.0),
    ),
    # The published figures are of the last epoch, not of the best. On one thread, since an update
    # of so small a network is faster there (docs/devices.md).
    training=Training(epochs=100, batch_size=10, monitor="none", threads=1),
)
