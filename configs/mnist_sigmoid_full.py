"""All of MNIST with the mean squared error, 23,860 parameters (published 88.5% test; a minute).

    nnjax train mnist_sigmoid_full

784-30-10, sigmoids, stochastic gradient descent in batches of 128 for 200 epochs; published 89.5%
train, 88.5% test with eta 0.01. The squared error of a sigmoid learns slowly: with that eta and
these initial weights the test accuracy was 80.0% here, so eta is 0.1.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(
        model=MLP(features=(30,), activation="sigmoid", output_activation="sigmoid"),
        loss="mean_squared_error",
        optimizer=SGD(learning_rate=0.1),
    ),
    training=Training(epochs=200, batch_size=128, threads=1),
)
