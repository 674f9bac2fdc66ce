"""Attention: which words of the source each word of a translation looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.28
"""Side of a cell, in inches."""


def draw_attention(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str], title: str = ""
) -> Figure:
    """Draws weights as shades: a row for each word written, a column for each word read.

    Args:
      weights: (target, source), from 0 to 1.
      source: the words read.
      target: the words written.
      title: of the figure.
    """
    left = 0.3 + 0.085 * max(map(len, target), default=1)
    top = 0.3 + 0.085 * max(map(len, source), default=1) + 0.3 * bool(title)
    width, height = CELL * max(len(source), 1), CELL * max(len(target), 1)
    figure = style.new_figure(left + width + 0.3, top + height + 0.2, title)
    axes = style.place_axes(figure, left, 0.15, width, height)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.imshow(weights, cmap="Greys", vmin=0.0, vmax=1.0, aspect="auto")
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(source)), source, rotation=90, fontsize=style.TEXT_SIZE)
    axes.set_yticks(range(len(target)), target, fontsize=style.TEXT_SIZE)
    axes.tick_params(colors=style.INK, length=0)
    return figure
