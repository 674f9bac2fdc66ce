"""A convolutional and a dense net on MNIST and on MNIST with its pixels permuted (minutes).

    nnjax train mnist_permuted

One fixed random permutation of the 784 pixels leaves a dense net (512 relu, 407,050 parameters) as
it was, and takes from a convolutional net (that of ``cnn_keras``) the neighbourhoods it lives on.
The figure shows the curves of both nets on both sets.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import CNN
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(
        model=CNN(features=(32, 32), kernel_sizes=(3,), hidden=(64,), hidden_activation="relu"),
        optimizer=Adam(),
    ),
    training=Training(epochs=3, batch_size=128),
    script="permutation",
)
