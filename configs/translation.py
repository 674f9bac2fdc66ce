"""German to English by two LSTMs and attention (Multi30k: BLEU 26.8, or 28.9 with 4 beams).

    nnjax train translation --data.path multi30k
    nnjax train translation --data.path multi30k --model.attention none
    echo "Ein Mann fährt Fahrrad." | nnjax translate runs/translation --attention pictures

The encoder reads the sentence in both directions. The decoder writes the translation and attends
to the encoder's outputs (Bahdanau et al. 2015, Luong et al. 2015). BLEU is reported for greedy and
for beam search. The figures were measured on test 2016 with ``--epochs 5``, which took 72 minutes
on one busy core, and scored with spaces inside numbers ("3. 5"), which nnjax no longer writes.
"""

from pathlib import Path

from nnjax.data import ParallelText
from nnjax.layers import Recurrent
from nnjax.layers.cells import LSTMCell
from nnjax.learners import Supervised
from nnjax.models import EncoderDecoder
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    # Batches are of sentences of similar length, in 4 buckets, so that little of them is padding.
    data=ParallelText(path=Path("multi30k"), lower_case=True, maximum_length=40, buckets=4),
    learner=Supervised(
        model=EncoderDecoder(
            encoder=Recurrent(LSTMCell(256), direction="bidirectional"),
            decoder=Recurrent(LSTMCell(256)),
            attention="dot",
            embedding=256,
            dropout=0.4,
        ),
        optimizer=Adam(learning_rate=0.002, schedule=OneCycle(), clip_norm=1.0),
        label_smoothing=0.1,
    ),
    training=Training(epochs=12, batch_size=128),
    script="translation",
)
