"""The workload mlp_128: batches of 128, SGD 0.01, 50,000 images of MNIST.

    nnjax train benchmarks/configs/mlp_128.py

784-30 tanh-10 softmax: 23,860 parameters.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(train=50_000),
    learner=Supervised(
        model=MLP(features=(30,), activation="tanh"),
        optimizer=SGD(learning_rate=0.01),
    ),
    training=Training(epochs=10, batch_size=128, threads=1),
)
