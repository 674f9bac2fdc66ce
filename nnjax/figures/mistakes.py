"""The images that a classifier got wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures.mosaic import as_pictures, draw_mosaic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 48


def draw_mistakes(
    images: np.ndarray,
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    title: str = "mistakes",
) -> Figure | None:
    """Draws the images taken for another class, the surest mistakes first; at most 48.

    Args:
      images: (examples, height, width, 1 or 3), as stored.
      targets: (examples,) true class indices.
      probabilities: (examples, classes), or (examples, 1) of the second of two classes.
      classes: the names of the classes.
      title: of the figure; the number of mistakes is added.

    Returns:
      The figure; None where nothing was mistaken.
    """
    predicted, confidence = decisions(probabilities)
    wrong = np.flatnonzero(predicted != targets)
    if not len(wrong):
        return None
    shown: list[int] = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST].tolist()
    captions = [
        f"{classes[targets[i]]} → {classes[predicted[i]]}  {_percent(confidence[i])}" for i in shown
    ]
    heading = f"{title}: {len(wrong):,} of {len(targets):,}"
    if len(shown) < len(wrong):
        heading += f", the {len(shown)} surest"
    return draw_mosaic(
        as_pictures(images[shown]), captions, heading, note="true → predicted, its probability"
    )


def decisions(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The predicted class of each example and the probability given to it, both (examples,)."""
    if probabilities.shape[1] == 1:
        second = probabilities[:, 0]
        return (second >= 0.5).astype(int), np.where(second >= 0.5, second, 1 - second)
    predicted = probabilities.argmax(1)
    return predicted, probabilities[np.arange(len(predicted)), predicted]


def _percent(share: float) -> str:
    return "100%" if share > 0.9995 else f"{share:.1%}" if share > 0.98 else f"{share:.0%}"
