"""The learning curves of several runs in one figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnjax.errors import UserError
from nnjax.figures import style
from nnjax.figures.curves import Curve, draw_curve, read_curves, set_limits
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.6, 3.2
LEFT, RIGHT, BOTTOM, TOP = 0.6, 0.85, 0.55, 0.35
LINE = 0.2
"""Sizes of a panel, its margins and a line of the legend, in inches."""

HELD_OUT = ("validation", "test")

DASH = 5.0
"""Length of the dashes of equal curves, in line widths."""

LONGEST_LABEL = 60
"""Characters of a run's label, which is often a path."""

EQUAL = 0.004
"""Curves that differ by less than this share of the vertical axis lie on each other."""


@own_settings()
def compare_curves(
    runs: Mapping[str, Iterable[Mapping[str, Any]]], kept: Mapping[str, float | None] | None = None
) -> Figure:
    """Draws a panel for each metric, with a colour for each run.

    The held-out split (validation, else test) is a solid line, the training split a dotted one.
    Curves that lie on each other are drawn as alternating dashes of their colours.

    Args:
      runs: the records of each run, as ``Run.read_metrics`` gives them, by its label.
      kept: the epoch whose parameters each run kept, by its label; marked by a ring.

    Raises:
      UserError: no run has any record.

    Example:
      >>> from nnjax.figures import compare_curves
      >>> records = [{"epoch": e, "split": "test", "loss": 1 / e} for e in (1, 2, 3)]
      >>> figure = compare_curves({"first": records, "second": records[:2]})
      >>> figure.axes[0].get_title(loc="left")
      'loss'
    """
    curves = {label: read_curves(records) for label, records in runs.items()}
    metrics = list(dict.fromkeys(metric for run in curves.values() for metric in run))
    if not metrics:
        raise UserError("no run has been measured yet: there are no learning curves to compare")
    rows, columns = style.rows_and_columns(len(metrics))
    panel, tall = LEFT + WIDTH + RIGHT, BOTTOM + HEIGHT + TOP
    legend = _Legend(list(curves), panel * columns, has_kept=any((kept or {}).values()))
    figure = style.new_figure(panel * columns, tall * rows + legend.height)
    for index, metric in enumerate(metrics):
        row, column = divmod(index, columns)
        place = (column * panel + LEFT, (rows - 1 - row) * tall + BOTTOM)
        axes = style.place_axes(figure, *place, WIDTH, HEIGHT)
        splits = [run.get(metric, {}) for run in curves.values()]
        epochs = [(kept or {}).get(label) for label in curves]
        _draw_metric(axes, metric, splits, epochs)
    legend.draw(figure)
    return figure


def _draw_metric(
    axes: Any, metric: str, runs: Sequence[Mapping[str, Curve]], kept: Sequence[float | None]
) -> None:
    """Draws the curves of one metric; ``kept`` are the epochs that the runs kept."""
    set_limits(axes, metric, [curve for splits in runs for curve in splits.values()])
    training = [splits.get("train") for splits in runs]
    held_out = [
        next((splits[name] for name in HELD_OUT if name in splits), None) for splits in runs
    ]
    # A run without a held-out split is compared by its training split, in a solid line.
    solid = [own or other for own, other in zip(held_out, training, strict=True)]
    dotted = [other if own else None for own, other in zip(held_out, training, strict=True)]
    for index, (place, curve) in enumerate(zip(_places(axes, dotted), dotted, strict=True)):
        if curve is not None:
            _draw_dotted(axes, curve, place, style.colour(index))
    labels = []
    for index, (place, curve) in enumerate(zip(_places(axes, solid), solid, strict=True)):
        if curve is None:
            continue
        tint = style.colour(index)
        _draw_solid(axes, curve, place, tint)
        if (epoch := kept[index]) is not None:
            ring = {"markerfacecolor": "white", "markeredgewidth": 1.4, "zorder": 4}
            axes.plot(epoch, curve.at(epoch), "o", color=tint, markersize=place.nested(5), **ring)
        number = f"{index + 1}: " if len(runs) > len(style.PALETTE) else ""
        labels.append((float(curve.values[-1]), number + style.short(curve.values[-1]), tint))
    style.label_ends(axes, labels, HEIGHT)
    style.name_axes(axes, "epoch", title=metric.replace("_", " "))


class _Place(NamedTuple):
    """The place of a curve, from 0, among the ``number`` curves that lie on each other."""

    index: int
    number: int

    def nested(self, size: float) -> float:
        """The size of a marker, so that each of the ``number`` markers encloses the next one."""
        return size + 3 * (self.number - 1 - self.index)


def _draw_solid(axes: Any, curve: Curve, place: _Place, tint: str) -> None:
    line: dict[str, Any] = {"color": tint, "linewidth": 1.8}
    if len(curve.epochs) == 1:
        axes.plot(*curve, marker="o", markersize=place.nested(4), **line)
    elif place.number == 1:
        draw_curve(axes, curve, **line)
    else:
        pattern = (DASH, (place.number - 1) * DASH)
        dashes = {"linestyle": (-place.index * DASH, pattern), "dash_capstyle": "butt"}
        axes.plot(*curve, **dashes, **line)


def _draw_dotted(axes: Any, curve: Curve, place: _Place, tint: str) -> None:
    # Dots of several colours are longer, because a short one does not show its colour.
    dot, gap = (1.0, 1.5) if place.number == 1 else (2.5, 1.2)
    pattern = (dot, place.number * (dot + gap) - dot)
    axes.plot(*curve, color=tint, linewidth=1.2, linestyle=(-place.index * (dot + gap), pattern))


def _places(axes: Any, curves: Sequence[Curve | None]) -> list[_Place]:
    """The place of each curve among those that it lies on."""
    groups: list[list[int]] = []
    for index, curve in enumerate(curves):
        group = next((g for g in groups if _lie_on_each_other(axes, curves[g[0]], curve)), None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    places = {
        index: _Place(place, len(group)) for group in groups for place, index in enumerate(group)
    }
    return [places[index] for index in range(len(curves))]


def _lie_on_each_other(axes: Any, first: Curve | None, second: Curve | None) -> bool:
    if first is None or second is None or not np.array_equal(first.epochs, second.epochs):
        return False
    heights = [axes.transData.transform(np.stack(curve, 1))[:, 1] for curve in (first, second)]
    return bool(np.max(np.abs(heights[0] - heights[1])) < EQUAL * axes.bbox.height)


class _Legend:
    """The names of the runs in their colours, above the panels, in as many columns as fit."""

    def __init__(self, labels: Sequence[str], width: float, *, has_kept: bool):
        names = [style.shown_name(label, LONGEST_LABEL) for label in labels]
        # The colours repeat: numbers tell the runs apart.
        numbered = len(labels) > len(style.PALETTE)
        numbers = [f"{index + 1}: " if numbered else "" for index in range(len(labels))]
        self._texts = [number + name for number, name in zip(numbers, names, strict=True)]
        self._column = style.text_width(self._texts, style.TEXT_SIZE, bold=True) + 0.35
        columns = max(1, int((width - LEFT) / self._column))
        self._rows = -(-len(self._texts) // columns)
        self._note = "solid: held-out split, dotted: training split"
        self._note += ", ring: the epoch that was kept" if has_kept else ""
        self.height = LINE * (self._rows + 1) + 0.1
        """In inches."""

    def draw(self, figure: Any) -> None:
        """Writes the names and what the lines mean."""
        width, height = figure.get_size_inches()
        top = height - 0.2
        for index, text in enumerate(self._texts):
            column, row = divmod(index, self._rows)
            figure.text(
                (LEFT + column * self._column) / width, (top - row * LINE) / height, text,
                color=style.colour(index), fontweight="bold", fontsize=style.TEXT_SIZE, va="center",
            )  # fmt: skip
        figure.text(
            LEFT / width, (top - self._rows * LINE) / height, self._note,
            color=style.MUTED, fontsize=style.SMALL_SIZE, va="center",
        )  # fmt: skip
