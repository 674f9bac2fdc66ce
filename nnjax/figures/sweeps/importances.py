"""The importance of each hyperparameter of a sweep for its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, BAR, RIGHT, BOTTOM, TOP = 3.2, 0.34, 0.75, 0.25, 0.75


@own_settings()
def draw_importances(shares: Mapping[str, float], title: str = "", note: str = "") -> Figure:
    """Draws a bar for each hyperparameter, the largest first.

    Args:
      shares: of the variance of the result, by the name of the hyperparameter; they sum to 1.
      title: of the figure.
      note: how they were found, below the title.

    Example:
      >>> from nnjax.figures import draw_importances
      >>> figure = draw_importances({"learning_rate": 0.8, "batch_size": 0.2})
      >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
      ['batch size', 'learning rate']
    """
    ordered = sorted(shares.items(), key=lambda item: item[1])
    names = [style.shown_name(name.replace("_", " ")) for name, _ in ordered]
    left = 0.3 + style.text_width(names, style.TEXT_SIZE)
    height = BAR * len(shares)
    figure = style.new_figure(left + WIDTH + RIGHT, BOTTOM + height + TOP, title, note)
    axes = style.place_axes(figure, left, BOTTOM, WIDTH, height)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    values = [share for _, share in ordered]
    # By place, not by name: matplotlib would draw bars of equal names on each other.
    axes.barh(range(len(names)), values, height=0.62, color=style.colour(0))
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, max(values) or 1)
    axes.set_xticks([])
    axes.tick_params(axis="y", colors=style.INK, labelsize=style.TEXT_SIZE)
    for place, share in enumerate(values):
        axes.text(
            share + 0.02 * max(values), place, f"{share:.0%}",
            va="center", fontsize=style.TEXT_SIZE, color=style.MUTED,
        )  # fmt: skip
    return figure
