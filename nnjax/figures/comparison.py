"""The learning curves of several runs in one figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    set_limits(axes, metric, [curve for splits in runs for curve in splits.values()])
    held_out = [next((split for split in HELD_OUT if split in splits), None) for splits in runs]
    # A run without a held-out split is compared by its training split.
    compared = [splits.get(split or "train") for splits, split in zip(runs, held_out, strict=True)]
    labels = []
    for index, ((place, number), curve) in enumerate(
        zip(_positions(axes, compared), compared, strict=True)
    ):
        tint = style.colour(index)
        if held_out[index] and "train" in runs[index]:
            # The dots of equal curves follow each other, and are longer to show their colours.
            dot, gap = (1.0, 1.5) if number == 1 else (2.5, 1.2)
            period = number * (dot + gap)
            dots = {"linestyle": (-place * (dot + gap), (dot, period - dot))}
            draw_curve(axes, runs[index]["train"], color=tint, linewidth=1.2, marker=None, **dots)
        if curve is None:
            continue
        dashes = {"linestyle": (-place * DASH, (DASH, (number - 1) * DASH))} if number > 1 else {}
        marker = {"marker": None} if number > 1 else {}
        draw_curve(axes, curve, color=tint, linewidth=1.8, dash_capstyle="butt", **dashes, **marker)
        epoch = kept[index]
        if epoch is not None:
            ring = {"markerfacecolor": "white", "markeredgewidth": 1.4, "zorder": 4}
            # Rings of equal curves lie within each other.
            axes.plot(
                epoch,
                curve.at(epoch),
                "o",
                color=tint,
                markersize=5 + 3 * (number - 1 - place),
                **ring,
            )
        number_of_run = f"{index + 1}: " if len(runs) > len(style.PALETTE) else ""
        text = number_of_run + style.short(curve.values[-1])
        labels.append((float(curve.values[-1]), text, tint))
    style.label_ends(axes, labels, HEIGHT)
    style.name_axes(axes, "epoch", title=metric.replace("_", " "))


def _positions(axes: Any, curves: Sequence[Curve | None]) -> list[tuple[int, int]]:
    """For each curve its place among those that lie on it, from 0, and how many these are."""
    groups: list[list[int]] = []
    for index, curve in enumerate(curves):
        group = next((g for g in groups if _lie_on_each_other(axes, curves[g[0]], curve)), None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    places = {index: (place, len(group)) for group in groups for place, index in enumerate(group)}
    return [places[index] for index in range(len(curves))]


def _lie_on_each_other(axes: Any, first: Curve | None, second: Curve | None) -> bool:
    if first is None or second is None or not np.array_equal(first.epochs, second.epochs):
        return False
    heights = [axes.transData.transform(np.stack(curve, 1))[:, 1] for curve in (first, second)]
    return bool(np.max(np.abs(heights[0] - heights[1])) < EQUAL * axes.bbox.height)


class _Legend:
    """The names of the runs in their colours, above the panels, in as many columns as fit."""

    def __init__(self, labels: Sequence[str], width: float, *, has_kept: bool):
        longest = 60
        numbered = len(labels) > len(style.PALETTE)
        self._texts = [
            f"{index + 1}: {style.shown_name(label, longest)}"
            if numbered
            else style.shown_name(label, longest)
            for index, label in enumerate(labels)
        ]
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
