"""The topic of an encyclopaedia article, one of 14, by a bidirectional GRU (97.3% test; minutes).

    nnjax train topic --data.path dbpedia          # train.csv, test.csv and classes.txt
    nnjax train topic --data.path dbpedia --model.recurrent.direction forward
    nnjax train topic --data.path dbpedia --data.level characters --data.maximum-length 300
    echo "He plays football for Leeds United." | nnjax classify runs/topic

Many to one on DBpedia (Zhang et al. 2015), where 98.5 to 99% is published for all of its 560,000
training articles. Measured: 97.31% with 24,800 training articles.
"""

from pathlib import Path

from nnjax.data import LabelledText
from nnjax.layers import Recurrent
from nnjax.layers.cells import GRUCell
from nnjax.learners import Supervised
from nnjax.models import SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=LabelledText(
        path=Path("dbpedia"), lower_case=True, maximum_length=60, minimum_count=3, validation=1000
    ),
    learner=Supervised(
        model=SequenceClassifier(
            recurrent=Recurrent(GRUCell(64), direction="bidirectional"),
            embedding=64,
            pooling="max",
            dropout=0.4,
        ),
        optimizer=Adam(learning_rate=0.004, schedule=OneCycle(), clip_norm=1.0),
    ),
    training=Training(epochs=6, batch_size=128),
)
