"""The learning curves of several runs in one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nnjax.errors import UserError
from nnjax.figures import style
from nnjax.figures.curves import Curve, draw_curve, read_curves, set_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.6, 3.2
LEFT, RIGHT, BOTTOM = 0.6, 0.75, 0.55
LINE = 0.2
HELD_OUT = ("validation", "test")


def compare_curves(runs: Mapping[str, Iterable[Mapping[str, Any]]]) -> Figure:
    """Draws one axis for each metric, with a colour for each run.

    The split held out (validation, else test) is a solid line, the training split a dotted one.

    Args:
      runs: the records of each run, as ``Run.read_metrics`` gives them, by its label.

    Raises:
      UserError: no run has any record.
    """
    curves = {label: read_curves(records) for label, records in runs.items()}
    metrics = list(dict.fromkeys(metric for run in curves.values() for metric in run))
    if not metrics:
        raise UserError("no run has been measured yet: there are no learning curves to compare")
    panel = LEFT + WIDTH + RIGHT
    legend = LINE * (len(curves) + 1) + 0.3
    figure = style.new_figure(panel * len(metrics), BOTTOM + HEIGHT + legend + 0.3)
    for index, metric in enumerate(metrics):
        axes = style.place_axes(figure, index * panel + LEFT, BOTTOM, WIDTH, HEIGHT)
        _draw_metric(axes, metric, [run.get(metric, {}) for run in curves.values()])
    _draw_legend(figure, list(curves), LEFT)
    return figure


def _draw_metric(axes: Any, metric: str, runs: list[Mapping[str, Curve]]) -> None:
    labels, drawn = [], []
    for index, splits in enumerate(runs):
        tint = style.colour(index)
        held_out = next((split for split in HELD_OUT if split in splits), None)
        if "train" in splits:
            dotted = {"linestyle": (0, (1, 1.5)), "linewidth": 1.2} if held_out else {}
            draw_curve(axes, splits["train"], color=tint, **dotted)
        if held_out:
            draw_curve(axes, splits[held_out], color=tint, linewidth=1.8)
        drawn += splits.values()
        deciding = splits.get(held_out or "train")
        if deciding is not None:
            labels.append((float(deciding.values[-1]), style.short(deciding.values[-1]), tint))
    set_limits(axes, metric, drawn)
    style.label_ends(axes, labels, HEIGHT)
    style.name_axes(axes, "epoch", title=metric.replace("_", " "))


def _draw_legend(figure: Any, labels: list[str], left: float) -> None:
    """The names of the runs in their colours, one a line, above the axes."""
    width, height = figure.get_size_inches()
    y = height - 0.2
    for index, label in enumerate(labels):
        figure.text(
            left / width, y / height, label, color=style.colour(index), fontweight="bold",
            fontsize=style.TEXT_SIZE, va="center",
        )  # fmt: skip
        y -= LINE
    note = "solid: held-out split, dotted: training split"
    figure.text(
        left / width, y / height, note, color=style.MUTED, fontsize=style.SMALL_SIZE, va="center"
    )
