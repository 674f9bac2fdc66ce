"""Recurrent cells: one step of a recurrence each, one a file."""

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
"""The cells by the names that the command line gives them."""

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
