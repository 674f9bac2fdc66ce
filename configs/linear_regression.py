"""y = x W + b by mini-batch Adam, against the closed form (equal to rounding; seconds).

    nnjax train linear_regression
    nnjax train linear_regression --data csv --data.path table.csv --data.targets price

Mean squared error on scikit-learn's diabetes table (442 patients, 10 numbers each) or on any other
table of numbers. A cosine schedule ends at a learning rate of 0: no noise of the batches is left,
and the weights are those of least squares.
"""

from nnjax.data import Diabetes
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import Adam
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

config = Experiment(
    data=Diabetes(standardise=True),
    learner=Supervised(
        model=MLP(features=()),
        loss="mean_squared_error",
        optimizer=Adam(learning_rate=2.0, schedule=Cosine()),
        metrics=("mean_absolute_error",),
    ),
    training=Training(epochs=3000, batch_size=128, evaluate_every=50),
    script="regression",
)
