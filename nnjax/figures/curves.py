"""The curves in the records of a run, and how they are drawn."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from nnjax.figures import style
from nnjax.metrics import NOT_METRICS

LOG_RATIO = 6
"""A loss that falls by more than this factor is drawn on a logarithmic axis."""

SQUEEZE = 4
"""The first tenth of a curve may leave the axes if it spans over this many times the rest."""


class Curve(NamedTuple):
    """A metric of a split over the epochs, finite values only."""

    epochs: np.ndarray
    values: np.ndarray

    def at(self, epoch: float) -> float:
        """The value at an epoch, between two records by linear interpolation."""
        return float(np.interp(epoch, self.epochs, self.values))


def read_curves(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """The curves of each metric, by split, from the records of ``metrics.jsonl``."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for record in records:
        if not {"split", "epoch"} <= record.keys():
            continue
        for metric in record.keys() - set(NOT_METRICS):
            value = float(record[metric])
            if math.isfinite(value):
                curve = points.setdefault(metric, {}).setdefault(record["split"], [])
                curve.append((float(record["epoch"]), value))
    order = sorted(points, key=lambda metric: (metric != "loss", metric))
    return {
        metric: {split: Curve(*np.array(curve).T) for split, curve in points[metric].items()}
        for metric in order
    }


def draw_curve(axes: Any, curve: Curve, **options: Any) -> None:
    """Draws a curve; at most twelve points are marked by dots, too."""
    few = len(curve.epochs) <= 12
    options = {"marker": "o" if few else None, "solid_capstyle": "round", **options}
    axes.plot(*curve, markersize=3, **options)


def mark_kept(axes: Any, epoch: float, *, named: bool) -> None:
    """Draws a vertical line at the epoch whose parameters were kept.

    Args:
      axes: with their final limits.
      epoch: where the line stands.
      named: whether to write what the line means beside it.
    """
    axes.axvline(epoch, color=style.MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    if not named:
        return
    low, high = axes.get_xlim()
    # On the side that has more room.
    on_left = epoch > (low + high) / 2
    axes.annotate(
        "kept", (epoch, 1.0), (-3 if on_left else 3, -1), textcoords="offset points",
        xycoords=("data", "axes fraction"), ha="right" if on_left else "left", va="top",
        fontsize=style.SMALL_SIZE, color=style.MUTED,
    )  # fmt: skip


def kept_epoch(summary: Mapping[str, Any]) -> float | None:
    """The epoch whose parameters a run kept, from its ``summary.json``; None of the last."""
    step, steps = summary.get("best_step"), summary.get("steps")
    if step is None or not steps or "epochs" not in summary:
        return None
    return float(summary["epochs"] * step / steps)


def set_limits(axes: Any, metric: str, curves: Iterable[Curve]) -> None:
    """Sets limits and scale so that the curves fill the axes.

    The first tenth of a long run may leave the axes where it would squeeze all that follows.
    """
    curves = list(curves)
    low, high = _range(curves, 0.0)
    late_low, late_high = _range(curves, 0.1)
    if high - low > SQUEEZE * (late_high - late_low) > 0:
        low, high = late_low, late_high
    if metric == "loss" and low > 0 and high / low > LOG_RATIO:
        make_logarithmic(axes)
        low, high = low / 1.2, high * 1.2
    else:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        low, high = low - margin, high + margin
        if "accuracy" in metric:
            high = min(high, 1 + margin / 2)
    axes.set_ylim(low, high)
    first = min(curve.epochs[0] for curve in curves)
    last = max(curve.epochs[-1] for curve in curves)
    pad = 0.02 * (last - first) or 0.5
    axes.set_xlim(first - pad, last + pad)
    if last >= 2:
        axes.xaxis.get_major_locator().set_params(integer=True)


def _range(curves: Iterable[Curve], skipped: float) -> tuple[float, float]:
    """The least and the largest value after the ``skipped`` part of each curve."""
    late = [curve.values[int(skipped * len(curve.values)) :] for curve in curves]
    return float(min(map(np.min, late))), float(max(map(np.max, late)))


def make_logarithmic(axes: Any) -> None:
    """Makes the vertical axis logarithmic, with plain numbers, 0.1, 0.2, 0.5, 1, beside it."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
