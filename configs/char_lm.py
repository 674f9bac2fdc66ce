"""Next character by two layers of LSTM, on any text.

    nnjax train char_lm                                       # on Python's own standard library
    nnjax train char_lm --data.path shakespeare.txt
    nnjax train char_lm --data.path shakespeare.txt --model.recurrent.cell gru
    nnjax generate runs/char_lm --prompt "ROMEO:"

The last tenth of the text is held out: the loss there, in nats a character, is the result.
"""

from nnjax.data import Text
from nnjax.layers.cells import LSTMCell
from nnjax.layers.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import LanguageModel
from nnjax.optimizers import Adam
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

config = Experiment(
    data=Text(length=128, validation=0.1, test=0.0),
    learner=Supervised(
        model=LanguageModel(recurrent=Recurrent(LSTMCell(256), layers=2), dropout=0.2),
        optimizer=Adam(learning_rate=0.003, schedule=Cosine(), clip_norm=1.0),
    ),
    training=Training(epochs=20, batch_size=64),
    script="text",
)
