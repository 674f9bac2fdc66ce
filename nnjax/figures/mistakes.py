"""The images that a classifier classified wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnjax.figures import style
from nnjax.figures.mosaic import as_pictures, draw_mosaic
from nnjax.figures.prediction import decisions, output_names
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 48


@own_settings()
def draw_mistakes(
    images: np.ndarray,
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    title: str = "mistakes",
) -> Figure | None:
    """Draws the images whose predicted class is wrong, the most confident first; at most 48.

    Args:
      images: (examples, height, width, 1 or 3), as stored.
      targets: (examples,) true class indices.
      probabilities: (examples, outputs), or (examples, 1) of the second of two classes. There may
        be more outputs than classes.
      classes: the names of the classes.
      title: of the figure; the number of mistakes is added.

    Returns:
      The figure; None where every prediction is correct.

    Example:
      >>> import numpy as np
      >>> from nnjax.figures import draw_mistakes
      >>> images, targets = np.zeros((2, 8, 8, 1)), np.array([0, 1])
      >>> figure = draw_mistakes(images, targets, np.array([[0.9, 0.1], [0.7, 0.3]]), ["a", "b"])
      >>> figure.texts[0].get_text()
      'mistakes: 1 of 2'
    """
    predicted, confidence = decisions(probabilities)
    wrong = np.flatnonzero(predicted != targets)
    if not len(wrong):
        return None
    shown: list[int] = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST].tolist()
    names = [style.shown_name(name, 10) for name in output_names(classes, probabilities.shape[1])]
    captions = [
        f"{names[targets[i]]} → {names[predicted[i]]}  {_percent(confidence[i])}" for i in shown
    ]
    heading = f"{title}: {len(wrong):,} of {len(targets):,}"
    if len(shown) < len(wrong):
        heading += f", the {len(shown)} most confident"
    return draw_mosaic(
        as_pictures(images[shown]), captions, heading, note="true → predicted, its probability"
    )


def _percent(share: float) -> str:
    return "100%" if share > 0.9995 else f"{share:.1%}" if share > 0.98 else f"{share:.0%}"
