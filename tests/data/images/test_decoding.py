"""Decoding picture files: formats, and files that somebody made to do harm."""

import contextlib
import io
import random

import numpy as np
import pytest
from PIL import Image

from nnjax.data.images.decoding import FORMATS, decode, image_size
from nnjax.errors import UserError

PIXELS = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
LOSSLESS = ("BMP", "PNG", "PPM", "TIFF")


def written(form):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_formats(form):
    decoded = decode(io.BytesIO(written(form)), None, 3, "it")
    assert (decoded.shape, decoded.dtype) == ((6, 4, 3), np.uint8)
    if form in LOSSLESS:
        np.testing.assert_array_equal(decoded, PIXELS)


@pytest.mark.parametrize("form", ["EPS", "DDS", "ICO", "TGA", "PCX", "SGI", "PDF"])
def test_other_formats_are_refused_whatever_the_name_of_the_file(form, tmp_path):
    """Pillow decodes EPS by starting another program."""
    file = tmp_path / "picture.png"
    file.write_bytes(written(form))
    for read in (lambda: decode(file, None, 3, str(file)), lambda: image_size(file)):
        with pytest.raises(UserError, match=r"picture.png cannot be read as an image"):
            read()


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_a_picture_or_one_sentence(form):
    content, draw = written(form), random.Random(0)
    for _ in range(60):
        damaged = bytearray(content[: draw.randrange(len(content) // 2, len(content) + 1)])
        for _ in range(3):
            damaged[draw.randrange(min(80, len(damaged)))] = draw.randrange(256)
        with contextlib.suppress(UserError):
            decode(io.BytesIO(bytes(damaged)), (5, 5), 3, "it")
