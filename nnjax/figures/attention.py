"""Attention: how much each output word of a translation attended to each source word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.28
"""Side of a cell, in inches."""


@own_settings()
def draw_attention(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str], title: str = ""
) -> Figure:
    """Draws attention weights as shades of grey: a row for each output word.

    Args:
      weights: (target, source), from 0 to 1.
      source: the source words, one for each column.
      target: the output words, one for each row.
      title: of the figure.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_attention
      >>> figure = draw_attention(np.eye(2), ["ein", "Hund"], ["a", "dog"])
      >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
      ['a', 'dog']
    """
    columns, rows = ([style.shown_name(word) for word in words] for words in (source, target))
    left = 0.3 + style.text_width(rows, style.TEXT_SIZE)
    top = 0.3 + style.text_width(columns, style.TEXT_SIZE) + 0.3 * bool(title)
    width, height = CELL * max(len(columns), 1), CELL * max(len(rows), 1)
    figure = style.new_figure(max(left + width + 0.3, 2.5), top + height + 0.2, title)
    axes = style.place_axes(figure, left, 0.15, width, height)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.imshow(weights, cmap="Greys", vmin=0.0, vmax=1.0, aspect="auto")
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=style.TEXT_SIZE)
    axes.set_yticks(range(len(rows)), rows, fontsize=style.TEXT_SIZE)
    axes.tick_params(colors=style.INK, length=0)
    return figure
