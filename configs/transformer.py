"""The next character by a small transformer (Shakespeare: 1.51 nats a character in 25 minutes).

    nnjax train transformer                                  # on Python's own standard library
    nnjax train transformer --data.path shakespeare.txt
    nnjax generate runs/transformer --prompt "ROMEO:"

Decoder-only, with rotary positions (Vaswani et al. 2017, Su et al. 2021). The last tenth of the
text is held out, and each of its characters is predicted from at least 64 characters before it. On
one core of a CPU, tinyshakespeare takes 25 minutes and reaches 1.51 nats with 801,664 parameters;
the GRU of ``char_lm`` reaches 1.55 with 921,153. For longer training set ``--model.dropout``.
"""

from nnjax.data import Text
from nnjax.learners import Supervised
from nnjax.models import Transformer
from nnjax.optimizers import AdamW
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

config = Experiment(
    data=Text(length=128, context=64, validation=0.1, test=0.0),
    learner=Supervised(
        model=Transformer(layers=4, heads=4, features=128, length=128),
        optimizer=AdamW(
            learning_rate=0.003,
            # The first updates of a transformer with Adam diverge easily, hence the warm-up.
            schedule=Cosine(warmup_fraction=0.05),
            weight_decay=0.1,
            clip_norm=1.0,
        ),
    ),
    training=Training(epochs=6, batch_size=16),
    script="text",
)
