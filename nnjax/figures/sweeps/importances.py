"""How much each hyperparameter of a sweep decides about its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnjax.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, BAR, RIGHT, BOTTOM, TOP = 3.2, 0.34, 0.75, 0.25, 0.75


def draw_importances(shares: Mapping[str, float], title: str = "", note: str = "") -> Figure:
    """Draws a bar for each hyperparameter, the largest first.

    Args:
      shares: of the variance of the result, by the name of the hyperparameter; they sum to 1.
      title: of the figure.
      note: how they were found, below the title.
    """
    ordered = sorted(shares.items(), key=lambda item: item[1])
    left = 0.3 + 0.085 * max(map(len, shares))
    height = BAR * len(shares)
    width = max(left + WIDTH + RIGHT, 0.062 * len(note) + 0.3)
    figure = style.new_figure(width, BOTTOM + height + TOP, title)
    figure.text(
        0.15 / width, 1 - 0.47 / (BOTTOM + height + TOP), note,
        fontsize=style.SMALL_SIZE, color=style.MUTED, va="center",
    )  # fmt: skip
    axes = style.place_axes(figure, left, BOTTOM, WIDTH, height)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    names = [name.replace("_", " ") for name, _ in ordered]
    values = [share for _, share in ordered]
    axes.barh(names, values, height=0.62, color=style.colour(0))
    axes.set_xlim(0, max(values) or 1)
    axes.set_xticks([])
    axes.tick_params(axis="y", colors=style.INK, labelsize=style.TEXT_SIZE)
    for place, share in enumerate(values):
        axes.text(
            share + 0.02 * max(values), place, f"{share:.0%}",
            va="center", fontsize=style.TEXT_SIZE, color=style.MUTED,
        )  # fmt: skip
    return figure
