"""The next character by a GRU, on any text (Shakespeare: 1.55 nats a character in 14 minutes).

    nnjax train char_lm                                       # on Python's own standard library
    nnjax train char_lm --data.path shakespeare.txt
    nnjax train char_lm --data.path shakespeare.txt --model.recurrent.cell lstm
    nnjax generate runs/char_lm --prompt "ROMEO:"

The text is cut into 32 parallel streams, and the state is carried from one window of a stream to
the next. The last tenth of the text is held out. The result is the loss there, in nats a
character, where each character is predicted from at least 200 characters before it. On two cores
of a CPU, tinyshakespeare takes 14 minutes and reaches 1.55; more epochs and units would reach
less.
"""

from nnjax.data import Text
from nnjax.layers import Recurrent
from nnjax.layers.cells import GRUCell
from nnjax.learners import Supervised
from nnjax.models import LanguageModel
from nnjax.optimizers import Adam
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

config = Experiment(
    data=Text(length=64, lanes=32, evaluation_length=1000, context=200, validation=0.1, test=0.0),
    learner=Supervised(
        # A text of a megabyte is small for 512 units, so dropout is strong.
        model=LanguageModel(recurrent=Recurrent(GRUCell(512)), dropout=0.4),
        optimizer=Adam(learning_rate=0.002, schedule=Cosine(), clip_norm=1.0),
    ),
    training=Training(epochs=8, batch_size=32),
    script="text",
)
