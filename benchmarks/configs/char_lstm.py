"""The workload of the population benchmark: two layers of LSTM predict the next character.

    nnjax train benchmarks/configs/char_lstm.py

The same size as the workload ``lstm`` of the benchmark of recurrent networks.
"""

from nnjax.data import Text
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import LanguageModel
from nnjax.optimizers import Adam
from nnjax.training import Experiment, Training

config = Experiment(
    data=Text(length=128, limit=200_000),
    learner=Supervised(
        model=LanguageModel(recurrent=Recurrent(LSTMCell(256), layers=2)), optimizer=Adam()
    ),
    training=Training(epochs=1, batch_size=64),
)
