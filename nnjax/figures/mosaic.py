"""Many small images side by side in one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.figures import style
from nnjax.figures.settings import own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 0.82
"""Width of a tile with short captions, in inches."""

CAPTION_SIZE = 6.3


@own_settings()
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
    gap, above = 0.12, 0.2 if captions is not None else 0.0
    tile = max(TILE, style.text_width(captions or (), CAPTION_SIZE))
    tall = tile * height / width
    top = 0.62 if note else 0.45
    below = rows * (tall + gap + above) + 0.1
    figure = style.new_figure(
        max(columns * (tile + gap) + gap + 0.06, 3.6), below + top, title, note
    )
    across, up = figure.get_size_inches()
    axes = style.place_axes(figure, 0, 0, across, up)
    style.bare(axes)
    axes.set(xlim=(0, across), ylim=(0, up))
    options = {"cmap": "gray_r", "vmin": 0.0, "vmax": 1.0, **colours}
    for index, image in enumerate(images):
        x = 0.15 + index % columns * (tile + gap)
        y = below - (index // columns + 1) * (tall + gap + above) + gap
        # One axes for all images: making an axes for each takes most of the time.
        axes.imshow(
            image[..., 0] if image.shape[-1] == 1 else image,
            extent=(x, x + tile, y, y + tall),
            interpolation="nearest",
            aspect="auto",
            **options,
        )
        if captions is not None:
            place = {"x": x, "y": y + tall + 0.04, "va": "bottom"}
            axes.text(s=captions[index], fontsize=CAPTION_SIZE, color=style.INK, **place)
    axes.set(xlim=(0, across), ylim=(0, up))
    return figure


def as_pictures(images: np.ndarray) -> np.ndarray:
    """Scales images (n, height, width, channels) as stored to (n, height, width, 1 or 3) in [0, 1].

    Bytes above 127 are taken as 0 to 255. Other images are scaled from the least to the largest
    finite number in all of them.
    """
    pictures = images.astype(np.float32)
    if images.dtype == np.uint8 and images.max(initial=0) > 127:
        return pictures / 255
    finite = pictures[np.isfinite(pictures)]
    low, high = finite.min(initial=np.inf), finite.max(initial=-np.inf)
    if low >= high:
        return np.zeros_like(pictures)
    return np.clip((pictures - low) / (high - low), 0, 1)


def is_image(shape: Sequence[int]) -> bool:
    """Whether an example of that shape can be shown: (height, width, 1 or 3)."""
    return len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) > 1
