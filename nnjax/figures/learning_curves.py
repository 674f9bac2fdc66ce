"""Learning curves: the loss and each metric over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style
from nnjax.figures.curves import Curve, draw_curve, read_curves, set_limits
from nnjax.figures.style import SPLIT_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.6, 2.6
LEFT, RIGHT, BOTTOM, TOP = 0.6, 1.3, 0.55, 0.75


def draw_learning_curves(
    records: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any] | None = None,
    title: str = "",
) -> Figure:
    """Draws one axis for each metric, with a curve for each split.

    Args:
      records: as ``Run.read_metrics`` gives them: ``epoch``, ``split`` and the metrics.
      summary: as in ``summary.json``; the final test metrics become a point where the test split
        has no curve.
      title: of the figure.

    Raises:
      ValueError: there is no record.
    """
    curves = read_curves(records)
    if not curves:
        raise ValueError("no records to draw learning curves of")
    panel = LEFT + WIDTH + RIGHT
    figure = style.new_figure(panel * len(curves), BOTTOM + HEIGHT + TOP, title)
    for index, (metric, splits) in enumerate(curves.items()):
        axes = style.place_axes(figure, index * panel + LEFT, BOTTOM, WIDTH, HEIGHT)
        _draw_metric(axes, metric, splits, _final(metric, splits, summary or {}))
    return figure


def _final(metric: str, splits: Mapping[str, Curve], summary: Mapping[str, Any]) -> Curve | None:
    """The final test metric as a curve of one point, at the parameters that were kept."""
    value = summary.get("test", {}).get(metric)
    if value is None or "test" in splits:
        return None
    epochs = summary.get("epochs", 0.0)
    if summary.get("best_step") is not None:
        epochs *= summary["best_step"] / summary["steps"]
    return Curve(np.array([epochs]), np.array([value]))


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
        axes.set_ylim(min(low, 0.999 * final.values[0]), max(high, 1.001 * final.values[0]))
        labels.append((float(final.values[0]), "test", tint))
    texts = [(value, f"{split} {style.short(value)}", tint) for value, split, tint in labels]
    style.label_ends(axes, texts, HEIGHT)
    style.name_axes(axes, "epoch", title=metric.replace("_", " "))
