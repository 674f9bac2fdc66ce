"""Sums as text: reads "535+61" and writes "596" (99.4% of test sums exact; 15 minutes).

    nnjax train addition
    nnjax train addition --data.digits 5 --epochs 100
    echo "535+61" | nnjax translate runs/addition

One LSTM reads the sum; another starts from its final state and writes the answer. No test sum is
in the training data. ``sequence accuracy`` is the share of test sums with every digit right, where
each digit is predicted from the true digits before it. If all digits are right, greedy decoding
writes the same answer.
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
        # Clipping limits the occasional large gradients of a recurrent network.
        optimizer=Adam(learning_rate=0.005, schedule=OneCycle(), clip_norm=1.0),
        metrics=("accuracy", "sequence_accuracy"),
    ),
    training=Training(epochs=40, batch_size=128),
)
