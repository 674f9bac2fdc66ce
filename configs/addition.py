"""Sums as text: "535+61" is read and "596" written (99.4% exact; a quarter of an hour).

    nnjax train addition
    nnjax train addition --data.digits 5 --epochs 100
    echo "535+61" | nnjax translate runs/addition

An LSTM reads the sum, another writes the answer, starting from the first one's last state. Of the
test sums, none of which was trained on, ``sequence accuracy`` counts those with every digit right,
each digit given the true ones before it; if all are right, greedy writing gives the same.
"""

from nnjax.data import Addition
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import EncoderDecoder
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=Addition(digits=3),
    learner=Supervised(
        model=EncoderDecoder(encoder=Recurrent(LSTMCell(128)), decoder=Recurrent(LSTMCell(128))),
        optimizer=Adam(learning_rate=0.005, schedule=OneCycle(), clip_norm=1.0),
        metrics=("accuracy", "sequence_accuracy"),
    ),
    training=Training(epochs=40, batch_size=128),
)
