"""Images in folders named like their classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from nnjax.data.dataset import Batch, Dataset, Spec
from nnjax.data.directory import given_path, visible_files, visible_folders
from nnjax.data.images.decoding import SUFFIXES, decode, image_size
from nnjax.data.splits import ImageSplits, warn_of_missing_classes
from nnjax.data.stream import RecordStream, load_records
from nnjax.errors import UserError, nearest

SPLITS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}
"""The names that the folder of a split may have."""

SEED = 0
"""Shuffles images that lie class by class, unless another seed is given."""


@dataclass(frozen=True)
class ImageFolder(ImageSplits):
    """Image files in one folder for each class: ``cats/1.jpg``, or ``train/cats/1.jpg``.

    Beside ``train`` there may be ``validation`` (or ``val``) and ``test``.

    Attributes:
      path: the folder.
      size: height and width that all images are scaled to, in proportion, and then cropped to about
        the center. None takes images as they are, and they must be of one size.
      channels: 1 for grey, 3 for red, green and blue.
      stream: decode the images while training instead of all of them before it.
      seed: as in every source; by default 0, for the images lie there class by class.

    Example:
      >>> from pathlib import Path
      >>> from PIL import Image
      >>> from nnjax.data import ImageFolder
      >>> for name in ("cat", "dog"):
      ...     Path("pets", name).mkdir(parents=True)
      ...     Image.new("RGB", (8, 6)).save(Path("pets", name, "1.png"))
      >>> data = ImageFolder(Path("pets"), size=(4, 4), test=0).load()
      >>> data.classes, data.split("train")["inputs"].shape
      (('cat', 'dog'), (2, 4, 4, 3))
    """

    path: Path = Path("images")
    size: tuple[int, int] | None = None
    channels: Literal[1, 3] = 3
    stream: bool = False
    seed: int | None = field(default=SEED, kw_only=True)

    def load(self) -> Dataset | RecordStream:
        """Images (n, height, width, channels) uint8, targets (n,) int32; in memory or a stream.

        Raises:
          UserError: there are no images, they differ in size, or a file is damaged.
        """
        stored, classes = find_images(given_path(self.path))
        chosen = self.select(stored)
        warn_of_missing_classes(chosen, classes)
        size = self._size(chosen)
        splits = {
            name: ImageFiles(split["inputs"], split["targets"], size, self.channels)
            for name, split in chosen.items()
        }
        return load_records(self, splits, classes, self.stream)

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns; decodes no images."""
        self._check_size()
        stored, classes = find_images(given_path(self.path))
        size = self.size or image_size(stored["train"]["inputs"][0])
        example = {
            "inputs": jax.ShapeDtypeStruct((*size, self.channels), np.uint8),
            "targets": jax.ShapeDtypeStruct((), np.int32),
        }
        return self.describe(
            example, {name: len(split["targets"]) for name, split in stored.items()}, classes
        )

    def _size(self, splits: Mapping[str, Batch]) -> tuple[int, int]:
        """(height, width) of all images.

        Raises:
          UserError: none is given and they differ.
        """
        self._check_size()
        if self.size is not None:
            return self.size
        first = splits["train"]["inputs"][0]
        size = image_size(first)
        for split in splits.values():
            for path in split["inputs"]:
                if image_size(path) != size:
                    other = "x".join(map(str, image_size(path)))
                    raise UserError(
                        f"{path} is {other} pixels and {first} {size[0]}x{size[1]}; bring all "
                        "images to one size with --data.size HEIGHT WIDTH"
                    )
        return size

    def _check_size(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise UserError(f"size={self.size} must be 1 pixel or more in height and width")


@dataclass(frozen=True)
class ImageFiles:
    """Image files as records.

    Attributes:
      paths: (n,) paths.
      targets: (n,) int32.
      size: height and width.
      channels: 1 or 3.
    """

    paths: np.ndarray
    targets: np.ndarray
    size: tuple[int, int]
    channels: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        path = self.paths[index]
        pixels = decode(path, self.size, self.channels, str(path))
        return {"inputs": pixels, "targets": self.targets[index]}


def find_images(folder: Path) -> tuple[dict[str, Batch], tuple[str, ...]]:
    """The image files of each split, sorted by class and name.

    Returns:
      For each split its paths as ``inputs``, (n,) objects, and its ``targets``, (n,) int32; and the
      names of the classes, sorted.

    Raises:
      UserError: there is no folder, or one that cannot be read, or fewer than two classes, or no
        image in a class, or a class that the training split does not have.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give another with --data.path")
    places = {"train": folder}
    if (folder / "train").is_dir():
        places = {
            split: folder / name
            for split, names in SPLITS.items()
            for name in names
            if (folder / name).is_dir()
        }
    classes = tuple(place.name for place in visible_folders(places["train"]))
    if not classes:
        raise UserError(f"{places['train']} has no folders of images, one for each class")
    stored = {split: _files(place, classes) for split, place in places.items()}
    if len(classes) == 1:
        raise UserError(
            f"{places['train']} holds one class only, {classes[0]}; put the images of each class "
            "into a folder of its own"
        )
    return stored, classes


def _files(folder: Path, classes: tuple[str, ...]) -> Batch:
    paths: list[Path] = []
    targets: list[int] = []
    for place in visible_folders(folder):
        name = place.name
        if name not in classes:
            raise UserError(f"{place} is no class of the training images{nearest(name, classes)}")
        files = _images(place)
        if not files:
            kinds = " ".join(SUFFIXES)
            raise UserError(f"{place} holds no images, files with one of {kinds}")
        paths += files
        targets += [classes.index(name)] * len(files)
    if not paths:
        raise UserError(f"{folder} has no folders of images, one for each class")
    found = np.empty(len(paths), object)
    found[:] = paths
    return {"inputs": found, "targets": np.array(targets, np.int32)}


def _images(folder: Path) -> list[Path]:
    return [path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES]
