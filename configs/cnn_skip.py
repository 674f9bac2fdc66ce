"""MNIST by a net with a skip connection: 129,130 parameters, Adam (99.0%; minutes an epoch).

    nnjax train cnn_skip

2x (conv 3x3x32 same) - max pool - 2x (conv 3x3x32 same) plus what came from the pool - max pool -
dense 64 - dense 10: the smallest residual net (He et al. 2015).
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import CNN
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(
        model=CNN(
            features=(32, 32),
            kernel_sizes=(3,),
            convolutions=2,
            padding="SAME",
            skip=True,
            hidden=(64,),
            hidden_activation="relu",
        ),
        optimizer=Adam(),
    ),
    training=Training(epochs=3, batch_size=128),
)
