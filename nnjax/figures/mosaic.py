"""Many small images side by side in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 0.82
"""Side of a tile in inches."""


def draw_mosaic(
    images: np.ndarray,
    captions: Sequence[str] | None = None,
    title: str = "",
    note: str = "",
    columns: int = 8,
    **colours: Any,
) -> Figure:
    """Draws images in rows, each with its caption above.

    Args:
      images: (n, height, width, 1 or 3): numbers for the colour map, or red, green and blue.
      captions: one for each image.
      title: above all of them.
      note: beneath the title, such as what the captions say.
      columns: images in a row.
      **colours: ``cmap``, ``vmin`` and ``vmax`` of images with one channel; by default 0 is white
        and 1 is black.
    """
    number, height, width = images.shape[:3]
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    gap, above = 0.12, 0.2 if captions else 0.0
    tall = TILE * height / width
    top = 0.62 if note else 0.45
    figure = style.new_figure(
        max(columns * (TILE + gap) + gap + 0.06, 3.6),
        rows * (tall + gap + above) + top + 0.1,
        title,
    )
    across, up = figure.get_size_inches()
    if note:
        place = {"x": 0.15 / across, "y": 1 - 0.36 / up, "va": "top"}
        figure.text(s=note, fontsize=style.SMALL_SIZE, color=style.MUTED, **place)
    axes = style.place_axes(figure, 0, 0, across, up)
    style.bare(axes)
    axes.set(xlim=(0, across), ylim=(0, up))
    options = {"cmap": "gray_r", "vmin": 0.0, "vmax": 1.0, **colours}
    for index, image in enumerate(images):
        x = 0.15 + index % columns * (TILE + gap)
        y = up - top - (index // columns + 1) * (tall + gap + above) + gap
        # One axes for all: an axes for each would take most of the time.
        axes.imshow(
            image[..., 0] if image.shape[-1] == 1 else image,
            extent=(x, x + TILE, y, y + tall),
            interpolation="nearest",
            aspect="auto",
            **options,
        )
        if captions:
            place = {"x": x, "y": y + tall + 0.04, "va": "bottom"}
            axes.text(s=captions[index], fontsize=6.3, color=style.INK, **place)
    axes.set(xlim=(0, across), ylim=(0, up))
    return figure


def as_pictures(images: np.ndarray) -> np.ndarray:
    """Scales images (n, height, width, channels) as stored to (n, height, width, 1 or 3) in [0, 1].

    Bytes keep their meaning where they fill it; anything else is scaled from the least to the
    largest number in all of them.
    """
    pictures = images.astype(np.float32)
    if images.dtype == np.uint8 and images.max(initial=0) > 127:
        return pictures / 255
    low, high = pictures.min(), pictures.max()
    return (pictures - low) / ((high - low) or 1.0)


def is_image(shape: Sequence[int]) -> bool:
    """Whether an example of that shape can be shown: (height, width, 1 or 3)."""
    return len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) > 1
