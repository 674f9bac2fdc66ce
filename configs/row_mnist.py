"""MNIST as sequences of 28 rows, read by an LSTM (99.12% test; minutes).

    nnjax train row_mnist
    nnjax train row_mnist --model.recurrent.cell gru

Many to one: the state after the last row is classified. ``pixel_mnist`` reads the images pixel by
pixel.
"""

from nnjax.data import Mnist
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(
        model=SequenceClassifier(recurrent=Recurrent(LSTMCell(128)), dropout=0.2),
        optimizer=Adam(learning_rate=0.004, schedule=OneCycle(), clip_norm=1.0),
    ),
    training=Training(epochs=10, batch_size=128),
)
