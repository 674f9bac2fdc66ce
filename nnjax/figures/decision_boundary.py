"""The decision boundary of a classifier of points in the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 4.4
RESOLUTION = 200
"""Points of the grid along each axis."""


@own_settings()
def draw_decision_boundary(
    probabilities: Callable[[np.ndarray], np.ndarray],
    splits: Mapping[str, tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    title: str = "decision boundary",
) -> Figure | None:
    """Draws the points of each split over the predicted probabilities of the classes.

    Args:
      probabilities: maps points (n, 2) to (n, classes), or to (n, 1) for the second of two.
      splits: points (n, 2) and class indices (n,), by the split's name; those of "train" are small
        dots, those of any other are ringed.
      classes: the names of the classes.
      title: of the figure.

    Returns:
      The figure; None where it would show points beyond the range of float32, the dtype of inputs.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_decision_boundary
      >>> points, labels = np.float32([[0, 0], [1, 1]]), np.array([0, 1])
      >>> figure = draw_decision_boundary(
      ...     lambda points: np.float32(points[:, :1] > 0.5), {"train": (points, labels)}, "ab"
      ... )
      >>> figure.axes[0].get_xlabel()
      'x₁'
    """
    points = np.concatenate([inputs for inputs, _ in splits.values()])
    # In float64, because the difference of two float32 numbers may overflow in float32.
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    margin = 0.06 * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    if not np.all(np.abs([low, high]) <= np.finfo(np.float32).max):
        return None
    names = [style.shown_name(f"class {name}", 24) for name in classes[: len(style.PALETTE)]]
    names += [f"and {len(classes) - len(names)} more"] * (len(classes) > len(names))
    right = max(0.6 + style.text_width([*names, *splits], style.TEXT_SIZE), 1.35)
    figure = style.new_figure(SIDE + 0.75 + right, SIDE + 1.0, title)
    axes = style.place_axes(figure, 0.55, 0.45, SIDE, SIDE)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    _draw_regions(axes, probabilities, low, high)
    for split, (inputs, targets) in splits.items():
        _draw_points(axes, inputs, targets, ringed=split != "train")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    _draw_legend(axes, names, list(splits))
    style.name_axes(axes, "x₁", "x₂")
    return figure


def _draw_regions(axes, probabilities: Callable, low: np.ndarray, high: np.ndarray) -> None:
    """Draws the colours of the classes mixed by probability, and the decision boundary."""
    from matplotlib.colors import to_rgb

    x, y = (np.linspace(low[i], high[i], RESOLUTION, dtype=np.float32) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), -1)
    shares = np.clip(probabilities(grid.reshape(-1, 2)), 0, 1)
    if shares.shape[1] == 1:
        shares = np.concatenate([1 - shares, shares], 1)
    shares = shares / np.maximum(shares.sum(1, keepdims=True), 1e-12)
    tints = np.array([to_rgb(style.colour(index)) for index in range(shares.shape[1])])
    mixed = 1 - 0.38 * (1 - shares @ tints)
    extent = (low[0], high[0], low[1], high[1])
    image = mixed.reshape(RESOLUTION, RESOLUTION, 3)
    axes.imshow(image, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    # The lead of a class over the most probable other one is 0 where the decision changes.
    for index in range(shares.shape[1] if shares.shape[1] > 2 else 1):
        others = np.delete(shares, index, 1).max(1)
        lead = (shares[:, index] - others).reshape(RESOLUTION, RESOLUTION)
        if lead.min() < 0 < lead.max():
            axes.contour(x, y, lead, levels=[0.0], colors=style.INK, linewidths=1.2)


def _draw_points(axes, inputs: np.ndarray, targets: np.ndarray, *, ringed: bool) -> None:
    for label in np.unique(targets):
        options = (
            {"s": 30, "edgecolors": style.INK, "linewidths": 0.9, "zorder": 4}
            if ringed
            else {"s": 11, "edgecolors": "white", "linewidths": 0.3, "zorder": 3}
        )
        axes.scatter(*inputs[targets == label].T, color=style.colour(int(label)), **options)


def _draw_legend(axes, classes: Sequence[str], splits: Sequence[str]) -> None:
    """At the right: the classes in their colours, then what dots and rings are."""
    y = 0.98
    for index, name in enumerate(classes):
        if index < len(style.PALETTE):
            dot = {"marker": "s", "markersize": 7, "color": style.colour(index), "clip_on": False}
            axes.plot(1.05, y, transform=axes.transAxes, **dot)
        _write(axes, y, name)
        y -= 0.05
    y -= 0.03
    for split in splits:
        ringed = split != "train"
        dot = {"marker": "o", "color": style.MUTED, "clip_on": False}
        dot |= {"markersize": 6 if ringed else 3.5}
        if ringed:
            dot |= {"markeredgecolor": style.INK, "markeredgewidth": 0.9}
        axes.plot(1.05, y, transform=axes.transAxes, **dot)
        _write(axes, y, split)
        y -= 0.05


def _write(axes, y: float, text: str) -> None:
    place = {"transform": axes.transAxes, "va": "center"}
    axes.text(1.09, y, text, fontsize=style.TEXT_SIZE, color=style.INK, **place)
