"""CIFAR-10: 60,000 colour images of 32x32 pixels in ten classes (Krizhevsky, 2009)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from nnjax.data.dataset import Batch, Dataset, Spec
from nnjax.data.directory import given_path
from nnjax.data.labels import check_labels
from nnjax.data.splits import ImageSplits
from nnjax.errors import UserError

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
RECORD = 1 + 3 * 32 * 32
"""Bytes of an image: its label, then its red, green and blue pixels row by row."""

IMAGE = {
    "inputs": jax.ShapeDtypeStruct((32, 32, 3), np.uint8),
    "targets": jax.ShapeDtypeStruct((), np.int32),
}


@dataclass(frozen=True)
class Cifar10(ImageSplits):
    """CIFAR-10 in its binary version, from those of its files that are in a folder.

    The images are stored in random order. So ``seed=None``, the default, takes the first of each
    split.

    Attributes:
      path: the folder of ``data_batch_*.bin`` and, where there is a test split, ``test_batch.bin``.

    Example:
      >>> import numpy as np
      >>> from pathlib import Path
      >>> from nnjax.data import Cifar10
      >>> Path("cifar").mkdir()
      >>> images = np.zeros((5, 3073), np.uint8)  # a label and 3 x 32 x 32 pixels each
      >>> images.tofile("cifar/data_batch_1.bin")
      >>> data = Cifar10(path=Path("cifar")).load()
      >>> data.size("train"), data.stored["inputs"].shape
      (4, (32, 32, 3))
    """

    path: Path = Path("cifar-10-batches-bin")

    def load(self) -> Dataset:
        """Images (n, 32, 32, 3) uint8, targets (n,) int32; 50,000 train and 10,000 test if whole.

        Raises:
          UserError: no file is there, or one is truncated or holds other labels.
        """
        return self.dataset(read_binaries(given_path(self.path)), CLASSES)

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns; reads no images."""
        sizes = {
            split: sum(_count(path) for path in paths)
            for split, paths in find_binaries(given_path(self.path)).items()
        }
        return self.describe(IMAGE, sizes, CLASSES)


def find_binaries(folder: Path) -> dict[str, list[Path]]:
    """The files of each split, "train" first.

    Raises:
      UserError: there is no folder, or no training file in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give another with --data.path")
    found = {
        "train": sorted(folder.glob("data_batch_*.bin")),
        "test": sorted(folder.glob("test_batch.bin")),
    }
    if not found["train"]:
        raise UserError(
            f"{folder} has no file data_batch_*.bin, as the binary version of CIFAR-10 has"
        )
    return {split: paths for split, paths in found.items() if paths}


def read_binaries(folder: Path) -> dict[str, Batch]:
    """The images and labels of each stored split."""
    return {split: _read(paths) for split, paths in find_binaries(folder).items()}


def _read(paths: Sequence[Path]) -> Batch:
    images, targets = [], []
    for path in paths:
        count = _count(path)
        records = np.fromfile(path, np.uint8).reshape(count, RECORD)
        targets.append(check_labels(records[:, 0], len(CLASSES), path))
        images.append(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return {"inputs": np.concatenate(images), "targets": np.concatenate(targets)}


def _count(path: Path) -> int:
    """Number of images in a file."""
    count, rest = divmod(path.stat().st_size, RECORD)
    if rest or not count:
        raise UserError(
            f"{path} is truncated: {path.stat().st_size} bytes are not a number of images "
            f"of {RECORD} bytes"
        )
    return count
