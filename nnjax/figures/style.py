"""What the figures have in common: colours, fonts, bare axes, direct labels, saving."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2430"
MUTED = "#6b7280"
RULE = "#e5e7eb"
ALARM = "#d1495b"

PALETTE = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours that people of any colour vision tell apart (Petroff 2021, arXiv:2107.02270)."""

SPLIT_COLOURS = {"train": "#717581", "validation": "#3f90da", "test": "#bd1f01"}

DPI = 130
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 11.0, 9.0, 7.5


def colour(index: int) -> str:
    """The colour of the class or curve with that index; they repeat after ten."""
    return PALETTE[index % len(PALETTE)]


def shade(fraction: float) -> str:
    """A colour for a number in [0, 1]: violet, red, orange; all are dark enough for lines."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["plasma"](0.05 + 0.77 * fraction))


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of that size in inches, its title at the upper left.

    All text in it is shown as it is: the $ in names of classes and runs is no formula.
    """
    figure = _plain_figure()(figsize=(width, height), dpi=DPI, facecolor="white")
    if title:
        place = {"x": 0.15 / width, "y": 1 - 0.12 / height, "ha": "left", "va": "top"}
        figure.text(s=title, fontsize=TITLE_SIZE, fontweight="bold", color=INK, **place)
    return figure


@functools.cache
def _plain_figure() -> type[Figure]:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    class PlainFigure(Figure):
        # Not by the setting text.parse_math, which is the user's for figures of their own.
        def draw(self, renderer: Any) -> None:
            for text in self.findobj(Text):
                text.set_parse_math(False)
            super().draw(renderer)

    return PlainFigure


def place_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    tidy(axes)
    return axes


def tidy(axes: Axes) -> None:
    """Takes away what carries no information: frame, tick marks; leaves a light grid."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=SMALL_SIZE, length=0, which="both")
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """Leaves nothing of the axes but what is drawn in them."""
    axes.grid(visible=False)
    axes.set_axis_off()


def name_axes(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Writes the names of the axes, and a title above at the left."""
    axes.set_xlabel(x, fontsize=TEXT_SIZE, color=MUTED)
    axes.set_ylabel(y, fontsize=TEXT_SIZE, color=MUTED)
    if title:
        axes.set_title(title, fontsize=TEXT_SIZE, color=INK, loc="left", pad=8)


def label_ends(axes: Axes, labels: Sequence[tuple[float, str, str]], height: float) -> None:
    """Writes labels at the right of the axes, each at its height, moved apart where they touch.

    Args:
      axes: with their final limits.
      labels: (y in data units, text, colour).
      height: of the axes, in inches.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    wanted = [float(to_axes.transform((x, y))[1]) for y, _, _ in labels]
    for at, (_, text, tint) in zip(spread(wanted, 0.155 / height), labels, strict=True):
        axes.text(
            1.02, at, text, transform=axes.transAxes, color=tint, fontsize=TEXT_SIZE, va="center"
        )


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Moves numbers in [0, 1] as little as it takes until any two are ``gap`` apart."""
    order = np.argsort(wanted, kind="stable")
    places = np.clip(np.asarray(wanted, float)[order], 0.0, 1.0)
    for _ in range(100):
        overlap = np.maximum(gap - np.diff(places), 0.0)
        if not np.any(overlap > 1e-6):
            break
        places[:-1] -= overlap / 2
        places[1:] += overlap / 2
    result = np.empty(len(places))
    result[order] = places
    return result.tolist()


def short(value: float) -> str:
    """A number for a label: four decimals, or three significant digits below 0.1 and from 1000."""
    return f"{value:.4f}" if 0.1 <= abs(value) < 1000 else f"{value:.3g}"


def save(figure: Any, path: Path) -> Path:
    """Writes a figure in the format of the path's suffix, making its folder; returns the path.

    Raises:
      UserError: the disk is full or read-only, the suffix names no format of pictures, or the
        figure cannot be drawn.
    """
    path = Path(path)
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in formats:
        raise UserError(
            f"cannot write the figure {path}: {path.suffix} is no format of pictures; end its name "
            "in .png"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise UserError(f"cannot write the figure {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"cannot draw the figure {path}: {error}") from error
    return path
