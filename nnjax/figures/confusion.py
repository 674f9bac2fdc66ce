"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERED = 30
"""Classes up to which the counts are written into the cells."""


def draw_confusion_matrix(
    counts: np.ndarray, classes: Sequence[str], title: str = "confusion matrix"
) -> Figure:
    """Draws the counts; the diagonal is grey, so that the mistakes stand out.

    Args:
      counts: (classes, classes) integers; row: the true class, column: the predicted one.
      classes: the names of the classes.
      title: of the figure.
    """
    number = len(classes)
    numbered = number <= MOST_NUMBERED
    cell = 0.4 if numbered else 6.0 / number
    side = cell * number
    left = 0.5 + min(0.075 * max(map(len, classes)), 2.0)
    width = max(left + side + 0.9, 4.2)
    figure = style.new_figure(width, side + left + 0.75, title)
    axes = style.place_axes(figure, left, left - 0.05, side, side)
    style.bare(axes)
    axes.set_axis_on()
    axes.spines["bottom"].set_visible(False)
    axes.imshow(_tints(counts), aspect="auto")
    if numbered:
        _write_counts(axes, counts)
        _write_recalls(axes, counts)
        rotation = 90 if max(map(len, classes)) > 3 else 0
        axes.set_xticks(range(number), classes, rotation=rotation, fontsize=style.TEXT_SIZE)
        axes.set_yticks(range(number), classes, fontsize=style.TEXT_SIZE)
        axes.tick_params(colors=style.INK)
    style.name_axes(axes, "predicted", "true")
    return figure


def _tints(counts: np.ndarray) -> np.ndarray:
    """(K, K, 3) colours: mistakes from white to red, by their share of the class; hits grey."""
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
    """Beside each row the share of the class that was recognised."""
    number = len(counts)
    muted = {"fontsize": style.SMALL_SIZE, "color": style.MUTED, "va": "center"}
    for row, total in enumerate(counts.sum(1)):
        if total:
            axes.text(number - 0.3, row, f"{counts[row, row] / total:.1%}", **muted)
    axes.text(number - 0.3, -0.8, "recall", **muted)
