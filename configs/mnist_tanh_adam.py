"""The network of mnist_tanh_sgd by Adam (published 93.4 / 93.0% on unscaled pixels; a minute).

    nnjax train mnist_tanh_adam
    nnjax train mnist_tanh_adam --data.preprocess.scale 1       # pixels 0 ... 255, as published

784-30-10 tanh with the cross-entropy, Adam in batches of 128 for 100 epochs. Pixels scaled to
[0, 1] do far better than those of 0 ... 255, which saturate the tanh.
"""

from nnjax.data import Mnist
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(model=MLP(features=(30,), activation="tanh"), optimizer=Adam()),
    training=Training(epochs=100, batch_size=128, threads=1),
)
