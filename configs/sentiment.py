"""Whether a film review is favourable, by a bidirectional LSTM (77.3% of single sentences).

    nnjax train sentiment --data.path reviews       # reviews.pos and reviews.neg, a review a line
    nnjax train sentiment --data.path reviews       # or folders pos and neg, a review a file
    echo "a triumph of style over substance" | nnjax classify runs/sentiment

Many to one. The published 80 to 88% are of long reviews. On single sentences (Pang and Lee 2005) a
network without pretrained word vectors reached 76.1% (Kim 2014).
"""

from pathlib import Path

from nnjax.data import LabelledText
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=LabelledText(
        path=Path("reviews"), lower_case=True, minimum_count=2, validation=1000, test=1000
    ),
    learner=Supervised(
        model=SequenceClassifier(
            recurrent=Recurrent(LSTMCell(64), direction="bidirectional"),
            embedding=100,
            # A word that decides may stand anywhere in the sentence.
            pooling="max",
            # Strong, because there are few sentences for so many word vectors.
            dropout=0.5,
        ),
        optimizer=Adam(learning_rate=0.003, schedule=OneCycle(), weight_decay=0.01, clip_norm=1.0),
    ),
    training=Training(epochs=6, batch_size=64),
)
