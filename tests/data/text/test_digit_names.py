"""Digits with their names."""

import gzip
import struct

import jax
import numpy as np
import pytest

from nnjax.data.dataset import specification
from nnjax.data.text.digit_names import NAMES, DigitNames


@pytest.fixture
def folder(tmp_path):
    for name, count in (("train", 12), ("t10k", 5)):
        images = np.full((count, 28, 28), 51, np.uint8)
        header = struct.pack(">4BIII", 0, 0, 8, 3, *images.shape)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(header + images.tobytes())
        )
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = struct.pack(">4BI", 0, 0, 8, 1, count)
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(header + labels.tobytes())
        )
    return tmp_path


def test_captions_are_the_names_of_the_digits(folder):
    source = DigitNames(path=folder)
    data = source.load()
    targets = data.split("train")["targets"]
    written = [data.target_vocabulary.decode_text(row) for row in targets]
    assert written == [NAMES[place % 10] for place in range(12)]
    assert data.outputs == len(data.target_vocabulary)


def test_images_are_scaled_and_letters_are_not(folder):
    data = DigitNames(path=folder).load()
    batch = jax.jit(lambda index: data.prepare(data.take(data.split("test"), index)))(np.arange(2))
    np.testing.assert_allclose(batch["inputs"]["source"], 0.2, rtol=1e-6)
    assert batch["inputs"]["target"].dtype == np.int32
    read, written = batch["inputs"]["target"], batch["targets"]
    ahead = np.where(written[:, :-1] == data.target_vocabulary.end, -1, written[:, :-1])
    np.testing.assert_array_equal(read[:, 1:], ahead)


def test_what_is_known_before_reading_is_what_is_read(folder):
    data = specification(DigitNames(path=folder))
    assert data.size("train") == 12
    assert data.example(3)["inputs"]["source"].shape == (3, 28, 28, 1)
