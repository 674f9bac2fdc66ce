"""The look that all figures share: colours, fonts, bare axes, direct labels; and saving them."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.errors import UserError
from nnjax.escapes import printable

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
"""Sizes of letters, in points."""

TITLE_LINE = 0.19
"""Height of a line of a title, in inches."""

LONGEST_NAME = 32
"""Characters of a name, such as that of a class; the middle of a longer one is left out."""


def colour(index: int) -> str:
    """The colour of the class or curve with that index; the colours repeat after ten."""
    return PALETTE[index % len(PALETTE)]


def shade(fraction: float) -> str:
    """A colour for a number in [0, 1]: violet, red, orange; all are dark enough for lines."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["plasma"](0.05 + 0.77 * fraction))


def shown_name(name: object, longest: int = LONGEST_NAME) -> str:
    """A name as figures show it: control characters as escapes, the middle of a long one as "…"."""
    text = printable(str(name))
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[-end:]}"


def text_width(texts: Sequence[str], size: float, *, bold: bool = False) -> float:
    """The width of the widest text, in inches; 0 of no text.

    Args:
      texts: one line each.
      size: of the letters, in points.
      bold: whether they are bold.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    widths = [text_to_path.get_text_width_height_descent(text, font, False)[0] for text in texts]
    return max(widths, default=0.0) / 72


def new_figure(width: float, height: float, title: str = "", note: str = "") -> Figure:
    """An empty figure with a title at the upper left.

    A title or note that is wider than the figure is folded into several lines, and the figure
    becomes higher by all but the first of them.

    Args:
      width: in inches.
      height: in inches, with one line for the title and one for the note.
      title: may be empty.
      note: a line of small grey letters below the title.
    """
    from nnjax.figures.plain_figure import PlainFigure

    titles = _fold(title, TITLE_SIZE, width - 0.3, bold=True)
    notes = _fold(note, SMALL_SIZE, width - 0.3)
    height += TITLE_LINE * max(len(titles) - 1, 0) + 0.14 * max(len(notes) - 1, 0)
    figure = PlainFigure(figsize=(width, height), dpi=DPI, facecolor="white")
    below = 0.12 + TITLE_LINE * max(len(titles), 1) + 0.05
    for lines, down, options in (
        (titles, 0.12, {"fontsize": TITLE_SIZE, "fontweight": "bold", "color": INK}),
        (notes, below, {"fontsize": SMALL_SIZE, "color": MUTED}),
    ):
        if lines:
            place = {"x": 0.15 / width, "y": 1 - down / height, "ha": "left", "va": "top"}
            figure.text(s="\n".join(lines), **place, **options)
    return figure


def _fold(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """The lines of a text in which no line is wider than the width, in inches."""
    text = printable(text)
    if not text:
        return []
    characters = max(8, int(len(text) * width / text_width([text], size, bold=bold)))
    return textwrap.wrap(text, characters, break_on_hyphens=False) or [text]


def rows_and_columns(panels: int) -> tuple[int, int]:
    """How panels are laid out: up to three in a row, four as two rows of two."""
    columns = 2 if panels == 4 else min(panels, 3)
    return -(-panels // columns), columns


def place_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    tidy(axes)
    return axes


def tidy(axes: Axes) -> None:
    """Removes what carries no information, the frame and tick marks, and leaves a light grid."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=SMALL_SIZE, length=0, which="both")
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """Hides all of the axes except what is drawn in them."""
    axes.grid(visible=False)
    axes.set_axis_off()


def name_axes(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Writes the names of the axes, and a title above at the left."""
    axes.set_xlabel(printable(x), fontsize=TEXT_SIZE, color=MUTED)
    axes.set_ylabel(printable(y), fontsize=TEXT_SIZE, color=MUTED)
    if title:
        axes.set_title(printable(title), fontsize=TEXT_SIZE, color=INK, loc="left", pad=8)


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
    """Moves numbers in [0, 1] as little as needed until any two are ``gap`` apart."""
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


def save(figure: Any, path: Path | str) -> Path:
    """Writes a figure to a file and returns the path of the file.

    Args:
      figure: a matplotlib figure.
      path: its suffix chooses the format, such as .png, .pdf or .svg; without a suffix, .png is
        appended. The folder is made.

    Raises:
      UserError: the file cannot be written, the suffix names no format of pictures, or the figure
        cannot be drawn.

    Example:
      >>> from nnjax.figures import draw_importances, save
      >>> figure = draw_importances({"learning_rate": 0.8, "batch_size": 0.2})
      >>> save(figure, "figures/importance.pdf").as_posix()
      'figures/importance.pdf'
    """
    path = Path(path)
    if not path.suffix:
        path = path.with_name(f"{path.name}.png")
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise UserError(
            f"cannot write the figure {path}: {path.suffix} is no format of pictures; end its name "
            "in .png"
        )
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=path.suffix[1:].lower())
    except ValueError as error:
        raise UserError(f"cannot draw the figure {path}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.getvalue())
    except (OSError, ValueError) as error:
        # A ValueError is raised by a path that holds NUL.
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write the figure {printable(str(path))}: {reason}") from error
    return path
