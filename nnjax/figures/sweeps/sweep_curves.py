"""The learning curves of all trials of a sweep in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.errors import UserError
from nnjax.figures import style
from nnjax.figures.curves import SQUEEZE, Curve, set_limits
from nnjax.figures.settings import own_settings
from nnjax.figures.sweeps.hyperparameter_scale import Scale, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 5.2, 3.4
LEFT, RIGHT, BOTTOM, TOP = 0.65, 1.75, 0.55, 0.6
LINE = 0.2
MOST_NAMED = 10
"""Different values up to which each is named beside the curves."""

IN_VIEW = 0.9
"""The share of the curves, the better ones, that lie within the axes whatever the others do."""


@own_settings()
def draw_sweep_curves(
    curves: Sequence[Curve],
    states: Sequence[str],
    metric: str,
    *,
    best: str = "",
    colour_by: str = "",
    values: Sequence[Any] = (),
    kind: str | None = None,
    title: str = "",
) -> Figure:
    """Draws a curve for each trial, in the colour of its value of one hyperparameter.

    Trials that are not complete are drawn lighter; the best is drawn thick.

    Args:
      curves: of each trial, the best trial first.
      states: how each trial stands: "complete", "pruned", "failed" or another.
      metric: what the curves show.
      best: what to call the first trial.
      colour_by: the name of the hyperparameter; empty draws all in one colour.
      values: its value in each trial.
      kind: of its scale, where it is known: "linear", "log" or "ticks".
      title: of the figure.

    Raises:
      UserError: there is no curve.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_sweep_curves
      >>> from nnjax.figures.curves import Curve
      >>> curves = [Curve(np.arange(1, 4), np.array([0.9, 0.5, 0.4])) for _ in range(2)]
      >>> figure = draw_sweep_curves(curves, ["complete", "pruned"], "validation loss")
      >>> figure.axes[0].get_ylabel()
      'validation loss'
    """
    if not curves:
        raise UserError("no trial has been measured yet: there are no learning curves to draw")
    scale = Scale.of(values, kind) if colour_by else None
    beside = [f"best: {best}", colour_by, *(map(text, scale.choices[:MOST_NAMED]) if scale else ())]
    right = max(RIGHT, 0.45 + style.text_width(beside, style.TEXT_SIZE, bold=True))
    figure = style.new_figure(LEFT + WIDTH + right, BOTTOM + HEIGHT + TOP, title)
    axes = style.place_axes(figure, LEFT, BOTTOM, WIDTH, HEIGHT)
    tints = [scale.colour(value) for value in values] if scale else [style.colour(0)] * len(curves)
    set_limits(axes, metric, _in_view(curves, states))
    _draw_curves(axes, curves, states, tints)
    style.name_axes(axes, "epoch", metric)
    x, y = LEFT + WIDTH + 0.25, BOTTOM + HEIGHT - 0.05
    if best:
        _write(figure, x, y, f"best: {best}", tints[0], bold=True)
        y -= 1.7 * LINE
    if scale:
        y = _draw_legend(figure, x, y, colour_by.replace("_", " "), scale)
    for state in dict.fromkeys(state for state in states if state != "complete"):
        _write(figure, x, y, f"pale: {states.count(state)} {state}", style.MUTED)
        y -= LINE
    return figure


def _in_view(curves: Sequence[Curve], states: Sequence[str]) -> list[Curve]:
    """The curves that lie within the axes."""
    steady = [curve for curve, state in zip(curves, states, strict=True) if state != "failed"]
    steady = steady or list(curves)
    better = steady[: max(1, round(IN_VIEW * len(steady)))]
    return better if _range(steady) > SQUEEZE * _range(better) > 0 else steady


def _range(curves: Sequence[Curve]) -> float:
    return float(np.ptp(np.concatenate([curve.values for curve in curves])))


def _draw_curves(
    axes: Any, curves: Sequence[Curve], states: Sequence[str], tints: Sequence[str]
) -> None:
    """The best last, on top of the others."""
    thin = 1.4 if len(curves) <= 20 else 1.0 if len(curves) <= 100 else 0.6
    for place in reversed(range(len(curves))):
        complete = states[place] == "complete"
        line = {"linewidth": thin, "alpha": 0.8 if complete else 0.3, "zorder": 2 + complete}
        if place == 0:
            line = {"linewidth": 2.6, "zorder": 5, "markersize": 6}
            axes.plot(*curves[0], color="white", linewidth=4.6, zorder=4)
        # A trial that was stopped at once is a point.
        marker = "o" if len(curves[place].epochs) == 1 else None
        options = {"marker": marker, "markersize": 3, "solid_capstyle": "round", **line}
        axes.plot(*curves[place], color=tints[place], **options)


def _draw_legend(figure: Any, x: float, y: float, name: str, scale: Scale) -> float:
    """Draws each value in its colour, or a strip of many; returns the height of what is below."""
    _write(figure, x, y, name, style.INK)
    y -= LINE
    if len(scale.choices) <= MOST_NAMED or not scale.is_ordered:
        for choice in scale.choices[:MOST_NAMED]:
            _write(figure, x, y, text(choice), scale.colour(choice), bold=True)
            y -= LINE
        if len(scale.choices) > MOST_NAMED:
            _write(figure, x, y, f"and {len(scale.choices) - MOST_NAMED} more", style.MUTED)
            y -= LINE
        return y - 0.7 * LINE
    return _draw_strip(figure, x, y, scale) - 0.7 * LINE


def _draw_strip(figure: Any, x: float, y: float, scale: Scale) -> float:
    """Draws a strip of all colours with a few numbers beside it, the largest at the top."""
    from matplotlib.colors import to_rgb

    tall = 1.3
    axes = style.place_axes(figure, x, y + 0.08 - tall, 0.14, tall)
    low, high = scale.coordinate(scale.choices[0]), scale.coordinate(scale.choices[-1])
    shades = [[to_rgb(style.shade(fraction))] for fraction in np.linspace(0, 1, 100)]
    axes.imshow(shades, aspect="auto", origin="lower", extent=(0, 1, low, high))
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    at, texts = zip(*scale.ticks(), strict=True)
    axes.set_yticks(at, texts)
    return y - tall - 0.5 * LINE


def _write(figure: Any, x: float, y: float, words: str, tint: str, *, bold: bool = False) -> None:
    width, height = figure.get_size_inches()
    figure.text(
        x / width, y / height, words, color=tint, va="center",
        fontsize=style.TEXT_SIZE, fontweight="bold" if bold else None,
    )  # fmt: skip
