"""The name of a handwritten digit, spelled from its image (98.9% of names exact; a minute).

    nnjax train caption

One to many: a convolutional network maps the image to a vector, from which an LSTM starts to write
"seven".
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
                # No hidden dense layer: the vector of 64 is the LSTM's initial state.
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
