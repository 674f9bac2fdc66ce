"""The result of each trial of a sweep against each of its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style
from nnjax.figures.curves import LOG_RATIO
from nnjax.figures.settings import own_settings
from nnjax.figures.sweeps.hyperparameter_scale import MOST_TICKS, Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 2.7, 2.2
LEFT, GAP, RIGHT, BOTTOM, TOP = 0.65, 0.35, 0.2, 0.55, 0.8

COLUMNS = 3
POINT, BEST, MEAN = style.colour(0), style.ALARM, style.INK
LOST = {"pruned": style.MUTED, "failed": style.ALARM}
"""Colours of trials without a result."""


@own_settings()
def draw_hyperparameters(
    trials: Sequence[Mapping[str, Any]],
    results: Sequence[float | None],
    states: Sequence[str],
    metric: str,
    *,
    scales: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draws a panel for each hyperparameter, a point for each trial, the mean of each value.

    Trials that were pruned or failed are strokes at the bottom of a panel.

    Args:
      trials: the values of each trial, by the name of the hyperparameter; the best trial first.
      results: the metric of each trial; None where it has none.
      states: how each trial stands: "complete", "pruned", "failed" or another.
      metric: its name.
      scales: the kind of a hyperparameter's axis, where it is known: "linear", "log" or "ticks".
      title: of the figure.

    Example:
      >>> from nnjax.figures import draw_hyperparameters
      >>> trials = [{"width": 16, "dropout": 0.1}, {"width": 32, "dropout": 0.2}]
      >>> figure = draw_hyperparameters(trials, [0.9, 0.8], ["complete"] * 2, "accuracy")
      >>> [axes.get_xlabel() for axes in figure.axes]
      ['width', 'dropout']
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial))
    scales = scales or {}
    found = [Scale.of((t[name] for t in trials if name in t), scales.get(name)) for name in names]
    columns, rows = min(COLUMNS, len(names)), -(-len(names) // COLUMNS)
    slanted = [text for scale in found if _is_crowded(scale) for _, text in scale.ticks()]
    bottom = BOTTOM + 0.5 * style.text_width(slanted, style.SMALL_SIZE)
    width = max(LEFT + columns * WIDTH + (columns - 1) * GAP + RIGHT, 3.9)
    height = rows * (HEIGHT + bottom) + TOP
    figure = style.new_figure(width, height, title)
    measured = [result for result in results if result is not None]
    for index, (name, scale) in enumerate(zip(names, found, strict=True)):
        row, column = divmod(index, columns)
        place = (LEFT + column * (WIDTH + GAP), bottom + (rows - 1 - row) * (HEIGHT + bottom))
        axes = style.place_axes(figure, *place, WIDTH, HEIGHT)
        _set_result_limits(axes, metric, measured)
        points = [
            (trial[name], result, state)
            for trial, result, state in zip(trials, results, states, strict=True)
            if name in trial
        ]
        _draw_panel(axes, scale, points)
        style.name_axes(axes, name.replace("_", " "), "" if column else metric)
        if column:
            axes.tick_params(labelleft=False)
    _draw_legend(figure, height - 0.47, states, _repeats(trials, names))
    return figure


def _set_result_limits(axes: Any, metric: str, results: Sequence[float]) -> None:
    """Fits the vertical axis to some results; it is logarithmic if a loss spans a large factor."""
    low, high = min(results), max(results)
    if metric.endswith("loss") and low > 0 and high / low > LOG_RATIO:
        from nnjax.figures.curves import make_logarithmic

        make_logarithmic(axes)
        margin = (high / low) ** 0.08
        axes.set_ylim(low / margin, high * margin)
        return
    margin = 0.09 * (high - low) or 0.05 * abs(high) or 0.05
    axes.set_ylim(low - margin, high + margin)


def _draw_panel(axes: Any, scale: Scale, points: list[tuple[Any, float | None, str]]) -> None:
    _set_horizontal(axes, scale)
    measured = [(scale.coordinate(value), y) for value, y, _ in points if y is not None]
    for state, tint in LOST.items():
        feet = [scale.coordinate(value) for value, _, found in points if found == state]
        foot = axes.get_xaxis_transform()
        axes.plot(feet, [0.025] * len(feet), "|", color=tint, transform=foot, markersize=7)
    if not measured:
        return
    _draw_means(axes, scale, measured)
    x, y = np.array(measured).T
    alpha = 0.75 if len(measured) <= 100 else 0.4
    axes.scatter(x, y, s=16, color=POINT, alpha=alpha, linewidths=0, zorder=3)
    axes.scatter(x[:1], y[:1], s=34, color=BEST, linewidths=0.8, edgecolors="white", zorder=5)


def _draw_means(axes: Any, scale: Scale, measured: list[tuple[float, float]]) -> None:
    """Draws the mean of the trials at each value if any value has several; connects numbers."""
    places = sorted({x for x, _ in measured})
    if len(places) == len(measured) or len(places) > 2 * MOST_TICKS:
        return
    means = [float(np.mean([y for x, y in measured if x == place])) for place in places]
    if scale.kind != "ticks" or scale.is_ordered:
        axes.plot(places, means, color=MEAN, linewidth=1.1, alpha=0.55, zorder=2)
    axes.plot(places, means, "_", color=MEAN, markersize=13, markeredgewidth=1.6, zorder=4)


def _set_horizontal(axes: Any, scale: Scale) -> None:
    ends = [scale.coordinate(scale.choices[0]), scale.coordinate(scale.choices[-1])]
    margin = 0.06 * (ends[1] - ends[0]) or 0.5
    if scale.kind == "ticks":
        margin = 0.5
    axes.set_xlim(ends[0] - margin, ends[1] + margin)
    at, texts = zip(*scale.ticks(), strict=True)
    slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(at, texts, **(slant if _is_crowded(scale) else {}))


def _is_crowded(scale: Scale) -> bool:
    """Whether the texts below the axis, for example long names, would overlap."""
    return sum(len(text) + 2 for _, text in scale.ticks()) > 15 * WIDTH


def _repeats(trials: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    """Whether any value was tried several times."""
    columns = [[repr(trial[name]) for trial in trials if name in trial] for name in names]
    return any(len(set(column)) < len(column) for column in columns)


def _draw_legend(figure: Any, y: float, states: Sequence[str], means: bool) -> None:
    """Writes below the title what the marks mean, ``y`` inches above the figure's lower edge."""
    width, height = figure.get_size_inches()
    entries = [("●", POINT, "trial"), ("●", BEST, "best")]
    entries += [("—", MEAN, "mean")] * means
    for state, tint in LOST.items():
        if count := list(states).count(state):
            entries.append(("|", tint, f"{count} {state}"))
    x = 0.15
    for mark, tint, text in entries:
        options = {"va": "center", "fontsize": style.SMALL_SIZE}
        figure.text(x / width, y / height, mark, color=tint, **options)
        figure.text((x + 0.16) / width, y / height, text, color=style.MUTED, **options)
        x += 0.36 + 0.062 * len(text)
