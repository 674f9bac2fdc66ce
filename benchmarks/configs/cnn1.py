"""The workload cnn1: batches of 128, SGD 0.01, 50,000 images of MNIST.

    nnjax train benchmarks/configs/cnn1.py

conv 5x5x20 relu - max pool - dense 100 tanh - dense 10 softmax: 289,630 parameters.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import CNN
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(train=50_000),
    learner=Supervised(
        model=CNN(features=(20,), kernel_sizes=(5,), hidden=(100,)),
        optimizer=SGD(learning_rate=0.01),
    ),
    training=Training(epochs=10, batch_size=128),
)
