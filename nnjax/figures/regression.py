"""Predicted against true values of a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 3.4
MOST_OUTPUTS = 4
MOST_POINTS = 5000


@own_settings()
def draw_regression(
    targets: np.ndarray, predicted: np.ndarray, title: str = "predicted against true"
) -> Figure:
    """Draws a point for each example, and the line of perfect predictions; at most four outputs.

    Args:
      targets: (examples,) or (examples, outputs).
      predicted: (examples, outputs).
      title: of the figure.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_regression
      >>> figure = draw_regression(np.array([0.0, 1.0, 2.0]), np.array([[0.1], [1.0], [1.9]]))
      >>> figure.axes[0].get_title(loc="left")
      'R² 0.9900, root mean squared error 0.0816'
    """
    targets = targets.reshape(predicted.shape)
    outputs = min(predicted.shape[1], MOST_OUTPUTS)
    panel, tall = SIDE + 0.95, SIDE + 0.9
    rows, columns = style.rows_and_columns(outputs)
    figure = style.new_figure(panel * columns, tall * rows + 0.4, title)
    for output in range(outputs):
        row, column = divmod(output, columns)
        place = (0.7 + column * panel, 0.55 + (rows - 1 - row) * tall)
        axes = style.place_axes(figure, *place, SIDE, SIDE)
        name = f"output {output + 1}, " if predicted.shape[1] > 1 else ""
        _draw_output(axes, targets[:, output], predicted[:, output], name)
    return figure


def _draw_output(axes, targets: np.ndarray, predicted: np.ndarray, name: str) -> None:
    present = np.isfinite(targets) & np.isfinite(predicted)
    missing = f", {np.sum(~present):,} not finite" if not present.all() else ""
    targets, predicted = targets[present], predicted[present]
    if not len(targets):
        style.name_axes(axes, "true", "predicted", f"{name}nothing is finite")
        return
    error = float(np.sqrt(np.mean(np.square(predicted - targets))))
    total = float(np.sum(np.square(targets - targets.mean())))
    # Where all targets are equal, R² divides by 0.
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
    title = f"{name}{fit}root mean squared error {style.short(error)}{missing}"
    style.name_axes(axes, "true", "predicted", title)
