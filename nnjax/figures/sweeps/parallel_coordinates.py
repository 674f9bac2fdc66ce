"""Parallel coordinates: a line for each trial of a sweep through all its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style
from nnjax.figures.curves import LOG_RATIO
from nnjax.figures.settings import own_settings
from nnjax.figures.sweeps.hyperparameter_scale import Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP, HEIGHT = 1.75, 3.0
LEFT, RIGHT, BOTTOM, TOP = 0.75, 0.85, 0.35, 1.25
FAN = 0.06
"""The share of the axis over which lines through the same tick are spread."""

WORST, MIDDLE, GOOD = "#d5e3f0", "#3f90da", "#12345c"


@own_settings()
def draw_parallel_coordinates(
    trials: Sequence[Mapping[str, Any]],
    results: Sequence[float | None],
    metric: str,
    *,
    maximize: bool,
    scales: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draws an axis for each hyperparameter and one for the metric, its better end at the top.

    Lines are darker the better the trial; the best is red. The lines of trials without a result
    are grey and end before the metric.

    Args:
      trials: the values of each trial, by the name of the hyperparameter; the best trial first.
      results: the metric of each trial; None where it has none.
      metric: its name.
      maximize: whether larger values are better.
      scales: the kind of a hyperparameter's axis, where it is known: "linear", "log" or "ticks".
      title: of the figure.

    Example:
      >>> from nnjax.figures import draw_parallel_coordinates
      >>> trials = [{"width": 16, "dropout": 0.1}, {"width": 32, "dropout": 0.2}]
      >>> figure = draw_parallel_coordinates(trials, [0.9, 0.8], "accuracy", maximize=True)
      >>> len(figure.axes)
      1
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial))
    measured = [result for result in results if result is not None]
    axes_of = {
        name: Scale.of((t[name] for t in trials if name in t), (scales or {}).get(name))
        for name in names
    }
    last = Scale.of(measured, _result_kind(metric, measured))
    texts = [[text for _, text in scale.heights()] for scale in axes_of.values()]
    widths = [style.text_width(column, style.SMALL_SIZE) for column in texts]
    step = max(STEP, *(wide + 0.3 for wide in widths))
    left = max(LEFT, widths[0] + 0.25 if widths else 0)
    note = "a line for each trial, darker the better, the best red"
    if len(measured) < len(trials):
        note += f"; {len(trials) - len(measured)} without a result grey"
    size = (left + step * len(names) + RIGHT, BOTTOM + HEIGHT + TOP)
    figure = style.new_figure(*size, title, note)
    axes = style.place_axes(figure, left, BOTTOM, step * len(names), HEIGHT)
    style.bare(axes)
    axes.set(xlim=(0, len(names)), ylim=(0, 1))
    heights = [
        _spread(scale, [trial.get(name) for trial in trials]) for name, scale in axes_of.items()
    ]
    # The worst first, so that the best lies on top.
    for place in reversed(range(len(trials))):
        line = [
            (x, column[place]) for x, column in enumerate(heights) if not np.isnan(column[place])
        ]
        result = results[place]
        if result is not None:
            line.append((len(names), _upwards(last, result, maximize)))
        axes.plot(*np.array(line).T, **_line(place, result, len(measured)))
    for x, (name, scale) in enumerate(axes_of.items()):
        _draw_axis(axes, x, name.replace("_", " "), scale.heights())
    ticks = [(at if maximize else 1 - at, text) for at, text in last.heights()]
    _draw_axis(axes, len(names), metric, ticks, last=True)
    return figure


def _upwards(scale: Scale, result: float, maximize: bool) -> float:
    at = scale.fraction(result)
    return at if maximize or len(scale.choices) == 1 else 1 - at


def _result_kind(metric: str, results: Sequence[float]) -> str:
    low, high = min(results), max(results)
    return "log" if metric.endswith("loss") and low > 0 and high / low > LOG_RATIO else "linear"


def _spread(scale: Scale, values: Sequence[Any]) -> np.ndarray:
    """Heights of all trials on an axis; lines through the same tick are moved apart a little.

    NaN where a trial lacks the hyperparameter.
    """
    heights = np.array([np.nan if value is None else scale.fraction(value) for value in values])
    if scale.kind != "ticks" and len(scale.choices) > len(values) / 2:
        return heights
    distance = FAN / max(1, (len(scale.choices) - 1) / 4)
    apart = heights.copy()
    for height in np.unique(heights[~np.isnan(heights)]):
        same = np.flatnonzero(heights == height)
        if len(same) > 1:
            apart[same] += np.linspace(distance, -distance, len(same))
    return apart


def _line(place: int, result: float | None, measured: int) -> dict[str, Any]:
    """How the line of a trial looks, by its rank."""
    from matplotlib.colors import LinearSegmentedColormap

    common: dict[str, Any] = {
        "solid_capstyle": "round",
        "solid_joinstyle": "round",
        "clip_on": False,
    }
    if result is None:
        return {"color": style.RULE, "linewidth": 0.9, "zorder": 1, **common}
    if place == 0:
        return {"color": style.ALARM, "linewidth": 2.2, "zorder": 4, **common}
    tints = LinearSegmentedColormap.from_list("rank", [GOOD, MIDDLE, WORST])
    tint = tints(place / max(1, measured - 1))
    return {"color": tint, "linewidth": 1.2, "alpha": 0.9, "zorder": 2, **common}


def _draw_axis(
    axes: Any, x: int, name: str, ticks: Sequence[tuple[float, str]], *, last: bool = False
) -> None:
    from matplotlib.patheffects import withStroke

    axes.plot([x, x], [-FAN, 1 + FAN], color=style.MUTED, linewidth=0.9, zorder=3, clip_on=False)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    shift = 0.05 if last else -0.05
    for at, text in ticks:
        axes.text(
            x + shift, at, text, ha="left" if last else "right", va="center", zorder=6,
            color=style.INK, fontsize=style.SMALL_SIZE, path_effects=halo,
        )  # fmt: skip
    options = {"ha": "center", "va": "bottom", "fontsize": style.TEXT_SIZE}
    axes.text(x, 1 + 2 * FAN, name, color=style.INK, fontweight="bold" if last else None, **options)
