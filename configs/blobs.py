"""Two heaps of points: one sigmoid neuron, 3 parameters (published 88% test; seconds).

    nnjax train blobs

f(w . x + b) with the quadratic cost 1/2 sum (f - v)^2 and full-batch gradient descent, eta 5e-5 for
10,000 steps, the best neuron kept. How well a line can do depends on where the two heaps fell: the
published draw gave 87.2% train and 88% test.
"""

from nnjax.data import Blobs
from nnjax.learners import Supervised
from nnjax.models import SingleNeuron
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    # This draw leaves a line about as much to get wrong as the published one.
    data=Blobs(examples=500, centers=2, center_box=(-3.0, 3.0), seed=7),
    learner=Supervised(
        model=SingleNeuron(activation="sigmoid", weights_init="normal"),
        loss="quadratic",
        optimizer=SGD(learning_rate=5e-5),
        reduction="sum",
    ),
    training=Training(steps=10_000, batch_size=0, evaluate_every=100, monitor="train loss"),
)
