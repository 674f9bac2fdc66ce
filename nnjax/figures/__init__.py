"""Figures of runs, data and models: functions that return a matplotlib ``Figure``, and ``save``.

Matplotlib is imported when the first figure is drawn, because that takes most of a second. The
figures look the same whatever matplotlib's settings are, and leave the user's settings alone. A
notebook shows a figure that is the value of a cell.
"""

from nnjax.figures.attention import draw_attention
from nnjax.figures.comparison import compare_curves
from nnjax.figures.confusion import draw_confusion_matrix
from nnjax.figures.decision_boundary import draw_decision_boundary
from nnjax.figures.kernels import draw_kernels, first_layer_kernels
from nnjax.figures.learning_curves import draw_learning_curves
from nnjax.figures.mistakes import draw_mistakes
from nnjax.figures.prediction import predict
from nnjax.figures.regression import draw_regression
from nnjax.figures.report import draw_report
from nnjax.figures.style import save
from nnjax.figures.sweeps.hyperparameters import draw_hyperparameters
from nnjax.figures.sweeps.importances import draw_importances
from nnjax.figures.sweeps.parallel_coordinates import draw_parallel_coordinates
from nnjax.figures.sweeps.sweep_curves import draw_sweep_curves

__all__ = [
    "compare_curves",
    "draw_attention",
    "draw_confusion_matrix",
    "draw_decision_boundary",
    "draw_hyperparameters",
    "draw_importances",
    "draw_kernels",
    "draw_learning_curves",
    "draw_mistakes",
    "draw_parallel_coordinates",
    "draw_regression",
    "draw_report",
    "draw_sweep_curves",
    "first_layer_kernels",
    "predict",
    "save",
]
