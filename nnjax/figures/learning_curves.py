"""Learning curves: the loss and each metric over the epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style
from nnjax.figures.curves import (
    Curve,
    draw_curve,
    kept_epoch,
    mark_kept,
    read_curves,
    set_limits,
)
from nnjax.figures.settings import own_settings
from nnjax.figures.style import SPLIT_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.6, 2.6
LEFT, RIGHT, BOTTOM, TOP = 0.6, 1.3, 0.55, 0.35
TITLE = 0.4
"""Sizes of a panel, its margins and the title, in inches."""


@own_settings()
def draw_learning_curves(
    records: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any] | None = None,
    title: str = "",
) -> Figure:
    """Draws a panel for each metric, with a curve for each split.

    Args:
      records: as ``Run.read_metrics`` gives them: ``epoch``, ``split`` and the metrics.
      summary: as in ``summary.json``: the epoch whose parameters were kept is marked by a vertical
        line, and the final test metrics are points where the test split has no curve.
      title: of the figure.

    Raises:
      ValueError: there is no record.

    Example:
      >>> from nnjax.figures import draw_learning_curves
      >>> records = [{"epoch": e, "split": "train", "loss": 1 / e} for e in (1, 2, 3)]
      >>> figure = draw_learning_curves(records, title="my run")
      >>> len(figure.axes)
      1
    """
    curves = read_curves(records)
    if not curves:
        raise ValueError("no records to draw learning curves of")
    summary = summary or {}
    rows, columns = style.rows_and_columns(len(curves))
    panel, tall = LEFT + WIDTH + RIGHT, BOTTOM + HEIGHT + TOP
    figure = style.new_figure(panel * columns, tall * rows + TITLE, title)
    for index, (metric, splits) in enumerate(curves.items()):
        row, column = divmod(index, columns)
        place = (column * panel + LEFT, (rows - 1 - row) * tall + BOTTOM)
        axes = style.place_axes(figure, *place, WIDTH, HEIGHT)
        _draw_metric(axes, metric, splits, _final(metric, splits, summary))
        epoch = kept_epoch(summary)
        if epoch is not None:
            mark_kept(axes, epoch, named=index == 0)
    return figure


def _final(metric: str, splits: Mapping[str, Curve], summary: Mapping[str, Any]) -> Curve | None:
    """The final test metric as a curve of one point, at the parameters that were kept."""
    value = float(summary.get("test", {}).get(metric, math.nan))
    if not math.isfinite(value) or "test" in splits:
        return None
    epoch = kept_epoch(summary)
    return Curve(
        np.array([summary.get("epochs", 0.0) if epoch is None else epoch]), np.array([value])
    )


def _draw_metric(axes: Any, metric: str, splits: Mapping[str, Curve], final: Curve | None) -> None:
    labels = []
    for split, curve in splits.items():
        tint = SPLIT_COLOURS.get(split, style.INK)
        draw_curve(axes, curve, color=tint, linewidth=1.6)
        labels.append((float(curve.values[-1]), split, tint))
    set_limits(axes, metric, splits.values())
    if final:
        tint = SPLIT_COLOURS["test"]
        axes.plot(*final, marker="D", markersize=5, color=tint, clip_on=False, zorder=5)
        low, high = axes.get_ylim()
        value = float(final.values[0])
        axes.set_ylim(min(low, value - 0.001 * abs(value)), max(high, value + 0.001 * abs(value)))
        labels.append((value, "test", tint))
    texts = [
        (value, f"{style.shown_name(split, 12)} {style.short(value)}", tint)
        for value, split, tint in labels
    ]
    style.label_ends(axes, texts, HEIGHT)
    style.name_axes(axes, "epoch", title=metric.replace("_", " "))
