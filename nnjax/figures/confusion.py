"""The confusion matrix: how often each class is predicted as each other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERED = 30
"""Classes up to which the counts are written into the cells."""


@own_settings()
def draw_confusion_matrix(
    counts: np.ndarray, classes: Sequence[str], title: str = "confusion matrix"
) -> Figure:
    """Draws a confusion matrix; its diagonal is grey, so that the mistakes stand out.

    Args:
      counts: (classes, classes) integers; row: the true class, column: the predicted one.
      classes: the names of the classes.
      title: of the figure.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_confusion_matrix
      >>> figure = draw_confusion_matrix(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
      >>> [text.get_text() for text in figure.axes[0].texts]
      ['9', '1', '10', '90.0%', '100.0%', 'recall']
    """
    number = len(classes)
    numbered = number <= MOST_NUMBERED
    names = [style.shown_name(name) for name in classes]
    widest = max((f"{count:,}" for count in np.unique(counts)), key=len, default="")
    needed = style.text_width([widest], style.SMALL_SIZE) + 0.08
    cell = max(0.4, needed) if numbered else 6.0 / number
    side = cell * number
    left = 0.45 + (style.text_width(names, style.TEXT_SIZE) if numbered else 0.0)
    # Names of up to three letters fit below the columns.
    upright = numbered and style.text_width(names, style.TEXT_SIZE) < cell - 0.05
    below = 0.55 if upright else left - 0.05
    width = max(left + side + 0.9, 4.2)
    figure = style.new_figure(width, side + below + 0.75, title)
    axes = style.place_axes(figure, left, below, side, side)
    style.bare(axes)
    axes.set_axis_on()
    axes.spines["bottom"].set_visible(False)
    axes.imshow(_tints(counts), aspect="auto")
    if numbered:
        _write_counts(axes, counts)
        _write_recalls(axes, counts)
        rotation = 0 if upright else 90
        axes.set_xticks(range(number), names, rotation=rotation, fontsize=style.TEXT_SIZE)
        axes.set_yticks(range(number), names, fontsize=style.TEXT_SIZE)
        axes.tick_params(colors=style.INK)
    style.name_axes(axes, "predicted", "true")
    return figure


def _tints(counts: np.ndarray) -> np.ndarray:
    """(K, K, 3) colours: mistakes white to red by their share of the class, the diagonal grey."""
    from matplotlib.colors import to_rgb

    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong = share * (1 - np.eye(len(counts)))
    # The square root makes single mistakes visible beside many.
    strength = np.sqrt(wrong / (wrong.max() or 1.0))[..., None]
    tints = (1 - strength) * 0.985 + strength * np.array(to_rgb(style.ALARM))
    tints[np.diag_indices(len(counts))] = to_rgb(style.RULE)
    return tints


def _write_counts(axes, counts: np.ndarray) -> None:
    wrong = counts * (1 - np.eye(len(counts)))
    strong = wrong / np.maximum(counts.sum(1, keepdims=True), 1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            white = row != column and strong[row, column] > 0.5 * (strong.max() or 1.0)
            axes.text(
                column, row, f"{count:,}", ha="center", va="center",
                fontsize=style.SMALL_SIZE, color="white" if white else style.INK,
            )  # fmt: skip


def _write_recalls(axes, counts: np.ndarray) -> None:
    """Writes beside each row its recall: the share of the class that is predicted correctly."""
    number = len(counts)
    muted = {"fontsize": style.SMALL_SIZE, "color": style.MUTED, "va": "center"}
    for row, total in enumerate(counts.sum(1)):
        if total:
            axes.text(number - 0.3, row, f"{counts[row, row] / total:.1%}", **muted)
    axes.text(number - 0.3, -0.8, "recall", **muted)
