"""Predicted against true values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 3.4
MOST_OUTPUTS = 4
MOST_POINTS = 5000


def draw_regression(
    targets: np.ndarray, predicted: np.ndarray, title: str = "predicted against true"
) -> Figure:
    """Draws a point for each example and the line on which all would lie; at most four outputs.

    Args:
      targets: (examples,) or (examples, outputs).
      predicted: (examples, outputs).
      title: of the figure.
    """
    targets = targets.reshape(predicted.shape)
    outputs = min(predicted.shape[1], MOST_OUTPUTS)
    panel = SIDE + 0.95
    figure = style.new_figure(panel * outputs, SIDE + 1.3, title)
    for output in range(outputs):
        axes = style.place_axes(figure, 0.7 + output * panel, 0.55, SIDE, SIDE)
        name = f"output {output + 1}, " if predicted.shape[1] > 1 else ""
        _draw_output(axes, targets[:, output], predicted[:, output], name)
    return figure


def _draw_output(axes, targets: np.ndarray, predicted: np.ndarray, name: str) -> None:
    error = float(np.sqrt(np.mean(np.square(predicted - targets))))
    total = float(np.sum(np.square(targets - targets.mean())))
    # Of targets that are all the same there is nothing to explain.
    explained = 1 - float(np.sum(np.square(predicted - targets))) / total if total else None
    low = min(targets.min(), predicted.min())
    high = max(targets.max(), predicted.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=style.MUTED, linewidth=1.0, zorder=1)
    every = max(1, len(targets) // MOST_POINTS)
    options = {"s": 12, "alpha": 0.6, "color": style.colour(0), "linewidths": 0, "zorder": 2}
    axes.scatter(targets[::every], predicted[::every], **options)
    axes.set(xlim=limits, ylim=limits)
    fit = "" if explained is None else f"R² {explained:.4f}, "
    title = f"{name}{fit}root mean squared error {style.short(error)}"
    style.name_axes(axes, "true", "predicted", title)
