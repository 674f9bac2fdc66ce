"""The name of a handwritten digit, letter by letter from its image (98.9% of names; a minute).

    nnjax train caption

One to many: a convolutional net sees the digit; an LSTM, starting from that, writes "seven".
"""

from nnjax.data import DigitNames
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import CNN, Captioner
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=DigitNames(),
    learner=Supervised(
        model=Captioner(
            encoder=CNN(
                features=(16, 32),
                kernel_sizes=(5, 3),
                hidden=(),
                outputs=64,
                output_activation="relu",
            ),
            decoder=Recurrent(LSTMCell(64)),
        ),
        optimizer=Adam(learning_rate=0.003, schedule=OneCycle()),
        metrics=("accuracy", "sequence_accuracy"),
    ),
    training=Training(epochs=3, batch_size=128),
)
