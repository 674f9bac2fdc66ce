"""Next character by a small transformer, to set beside char_lm's LSTM of as many parameters.

    nnjax train transformer                                  # on Python's own standard library
    nnjax train transformer --data.path shakespeare.txt
    nnjax generate runs/transformer --prompt "ROMEO:"

Decoder-only, with rotary positions (Vaswani et al. 2017, Su et al. 2021).
"""

from nnjax.data import Text
from nnjax.learners import Supervised
from nnjax.models import Transformer
from nnjax.optimizers import AdamW
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

config = Experiment(
    data=Text(length=128, validation=0.1, test=0.0),
    learner=Supervised(
        model=Transformer(layers=4, heads=4, features=128, length=128, dropout=0.1),
        optimizer=AdamW(
            learning_rate=0.003,
            schedule=Cosine(warmup_fraction=0.05),
            weight_decay=0.1,
            clip_norm=1.0,
        ),
    ),
    training=Training(epochs=20, batch_size=64),
    script="text",
)
