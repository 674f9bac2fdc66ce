"""The binary files of CIFAR-10."""

import numpy as np
import pytest

from nnjax.data import Cifar10
from nnjax.errors import UserError


def write(path, images, labels):
    """Images (n, 32, 32, 3) in the layout of the files: label, then red, green, blue planes."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    np.column_stack([np.asarray(labels, np.uint8), planes]).tofile(path)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, images):
    write(tmp_path / "data_batch_1.bin", images[:2], [3, 9])
    write(tmp_path / "data_batch_4.bin", images[2:4], [0, 1])
    write(tmp_path / "test_batch.bin", images[4:], [7])
    return tmp_path


def test_the_batches_that_are_there_are_read_in_order(folder, images):
    data = Cifar10(folder).load()
    np.testing.assert_array_equal(data.split("train")["inputs"], images[:4])
    np.testing.assert_array_equal(data.split("test")["inputs"], images[4:])
    assert data.split("train")["targets"].tolist() == [3, 9, 0, 1]
    assert data.classes is not None
    assert (len(data.classes), data.classes[9]) == (10, "truck")


def test_specification_agrees_with_the_data(folder):
    source = Cifar10(folder, validation=1)
    data, spec = source.load(), source.spec()
    assert spec.stored == data.stored
    assert all(data.size(name) == spec.size(name) for name in ("train", "validation", "test"))


def test_without_test_images_some_training_images_are_held_out(folder):
    (folder / "test_batch.bin").unlink()
    data = Cifar10(folder, test=1).load()
    assert (data.size("train"), data.size("test")) == (3, 1)


def test_bad_folders_are_refused(folder, images, tmp_path):
    path = folder / "data_batch_1.bin"
    write(path, images[:2], [3, 10])
    with pytest.raises(UserError, match=r"label 10 of example 1 in .*data_batch_1\.bin"):
        Cifar10(folder).load()
    path.write_bytes(path.read_bytes()[:-1])
    for bad in (Cifar10(folder).load, Cifar10(folder).spec):
        with pytest.raises(UserError, match=r"data_batch_1\.bin is truncated"):
            bad()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no file data_batch"):
        Cifar10(tmp_path / "empty").load()
    with pytest.raises(UserError, match="there is no folder"):
        Cifar10(tmp_path / "nowhere").load()
