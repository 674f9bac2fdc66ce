"""MNIST pixel by pixel: 784 steps of one number, then a class (96.7% test; an hour).

    nnjax train pixel_mnist

The cell must remember from the first stroke to the last pixel (Le, Jaitly and Hinton 2015).
Measured: 96.71% of the test images with 13,322 parameters, 240 seconds an epoch on one core.
"""

from nnjax.data import Mnist
from nnjax.layers import Recurrent
from nnjax.layers.cells import CoupledLSTMCell
from nnjax.learners import Supervised
from nnjax.models import SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.schedules import OneCycle
from nnjax.training import Experiment, Training

config = Experiment(
    data=Mnist(),
    learner=Supervised(
        model=SequenceClassifier(
            # The gates are coupled and start with every timescale up to the whole image. An LSTM
            # whose forget gates all start alike stayed at chance for two epochs of 5,000 images.
            recurrent=Recurrent(CoupledLSTMCell(64, timescale=784)),
            steps="pixels",
        ),
        optimizer=Adam(learning_rate=0.004, schedule=OneCycle(), clip_norm=1.0),
    ),
    training=Training(epochs=15, batch_size=64),
)
