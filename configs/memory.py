"""The adding problem over 200 steps: remember two numbers of a long sequence.

    nnjax train memory
    nnjax train memory --model.recurrent.cell simple

After Hochreiter and Schmidhuber (1997). Always answering the mean has a squared error of 1/24 =
0.042; a sequence counts as solved where the error is at most 0.04, a mean squared error far below
0.0016.
"""

from nnjax.data import Adding
from nnjax.layers.cells import LSTMCell
from nnjax.layers.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training

config = Experiment(
    data=Adding(length=200),
    learner=Supervised(
        model=SequenceClassifier(recurrent=Recurrent(LSTMCell(64))),
        loss="mean_squared_error",
        optimizer=Adam(learning_rate=0.003, clip_norm=1.0),
        metrics=("mean_absolute_error",),
    ),
    training=Training(epochs=25, batch_size=100),
)
