"""Recurrent cells: each computes one time step, and each has a file of its own."""

from nnjax.layers.cells.cell import Carry, Cell, Weights
from nnjax.layers.cells.fully_recurrent import FullyRecurrentCell
from nnjax.layers.cells.gru import GRUCell
from nnjax.layers.cells.lstm import LSTMCell
from nnjax.layers.cells.lstm_coupled import CoupledLSTMCell
from nnjax.layers.cells.lstm_first import FirstLSTMCell
from nnjax.layers.cells.lstm_peephole import PeepholeLSTMCell
from nnjax.layers.cells.simple import SimpleCell

NAMES = {
    "coupled_lstm": CoupledLSTMCell,
    "first_lstm": FirstLSTMCell,
    "fully_recurrent": FullyRecurrentCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
    "peephole_lstm": PeepholeLSTMCell,
    "simple": SimpleCell,
}
"""Each cell by its name on the command line."""

__all__ = [
    "NAMES",
    "Carry",
    "Cell",
    "CoupledLSTMCell",
    "FirstLSTMCell",
    "FullyRecurrentCell",
    "GRUCell",
    "LSTMCell",
    "PeepholeLSTMCell",
    "SimpleCell",
    "Weights",
]
