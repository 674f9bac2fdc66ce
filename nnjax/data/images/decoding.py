"""Decodes image files to arrays of pixels."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from nnjax.errors import UserError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The formats that Pillow may take a file for, whatever its name.

Others have decoders that start other programs (EPS) or are rarely used and tested (BLP, DDS).
"""


def decode(
    file: Path | IO[bytes], size: tuple[int, int] | None, channels: int, where: str
) -> np.ndarray:
    """Decodes an image file, rotated as its EXIF data says.

    Args:
      file: a path or the opened file.
      size: (height, width) of the result; the image is scaled with its proportions kept, and an
        excess in width or height is cut off equally on both sides. None keeps the size.
      channels: 1 for grey, 3 for red, green and blue.
      where: the name of the file in errors.

    Returns:
      (height, width, channels) uint8.

    Raises:
      UserError: the file is not an image in one of ``FORMATS``, is damaged, or has more than 8 bits
        a channel.
    """
    # Imported here, because not every run reads images.
    from PIL import Image, ImageOps

    mode = "L" if channels == 1 else "RGB"
    with _sentences(where), Image.open(file, formats=FORMATS) as image:
        if size is not None:
            # A JPEG is decoded at a fraction of its size if that is large enough: much faster.
            image.draft(None, (max(size), max(size)))
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode[0] in "IF":
            raise UserError(f"{where} has more than 8 bits a channel; save it with 8")
        if image.mode == "P":
            # Pillow would warn about a palette with transparency if it were converted directly.
            image = image.convert("RGBA")
        if image.mode != mode:
            image = image.convert(mode)
        if size is not None and image.size != (size[1], size[0]):
            image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(image.height, image.width, channels)


def image_size(path: Path) -> tuple[int, int]:
    """Returns (height, width) of an image, rotated as its EXIF data says, from its header.

    Raises:
      UserError: the file is not an image in one of ``FORMATS``.
    """
    from PIL import ExifTags, Image

    with _sentences(str(path)), Image.open(path, formats=FORMATS) as image:
        # For a TIFF, Pillow already gives the size of the rotated image.
        turned = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        width, height = image.size
        return (width, height) if turned else (height, width)


@contextlib.contextmanager
def _sentences(where: str) -> Iterator[None]:
    """Turns what Pillow raises into one sentence."""
    try:
        yield
    except UserError:
        raise
    # What a decoder raises on a damaged file depends on the format and on where the damage is.
    except Exception as error:
        why = str(error) or type(error).__name__
        raise UserError(f"{where} cannot be read as an image: {why}") from None
