"""The idx format of MNIST: arrays of numbers behind a short header, gzipped or not.

A file begins with two zero bytes, one byte for the type of the numbers, and one byte for the number
of dimensions. Each dimension follows as a big-endian 32-bit integer, then the numbers, big-endian,
in C order.
"""

import gzip
import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import jax
import numpy as np

from nnjax.data.checks import check_memory
from nnjax.data.dataset import Batch, Dataset, Spec
from nnjax.data.directory import given_path, is_hidden
from nnjax.data.labels import check_labels, count_classes, numbered
from nnjax.data.splits import ImageSplits
from nnjax.errors import UserError

TYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

PREFIXES = {"train": ("train",), "validation": ("validation", "val"), "test": ("t10k", "test")}
"""The beginnings of the file names of a split: ``train-images*``, ``train-labels*``."""

MOST_DIMENSIONS = 32
"""NumPy's limit in version 1."""

UNPACKED = 1032
"""Bytes that deflate, the compression of gzip, makes of one at most."""

Header = tuple[np.dtype, tuple[int, ...]]


@dataclass(frozen=True)
class Idx(ImageSplits):
    """Idx files in a folder: any data set with the layout of MNIST, gzipped or not.

    The names of the files begin with ``train-images`` and ``train-labels``; those of a test split
    with ``t10k-`` or ``test-``, those of a validation split with ``validation-`` or ``val-``.

    Attributes:
      path: the folder.
      classes: number of classes; None takes what the training labels show.
      seed: as in every source; by default 0, for the images may lie there class by class. Where
        all training images are used, they keep their order.

    Example:
      >>> import numpy as np
      >>> from pathlib import Path
      >>> from nnjax.data import Idx
      >>> from nnjax.data.images.idx import write_idx
      >>> write_idx(Path("train-images-idx3-ubyte"), np.zeros((10, 4, 4), np.uint8))
      >>> write_idx(Path("train-labels-idx1-ubyte"), np.arange(10, dtype=np.uint8) % 2)
      >>> Idx(".").load().size("train")
      8
    """

    path: Path = Path("data")
    classes: int | None = None
    seed: int | None = field(default=0, kw_only=True)

    keeps_whole_order = True

    def load(self) -> Dataset:
        """Images (n, height, width, 1) as stored, targets (n,) int32.

        Raises:
          UserError: a file is missing, truncated, not idx, or does not fit the others.
        """
        return load_folder(given_path(self.path), self, self.classes)

    def spec(self) -> Spec:
        """The specification of the data, from the headers and the training labels alone."""
        return describe_folder(given_path(self.path), self, self.classes)


def load_folder(folder: Path, options: ImageSplits, classes: int | None) -> Dataset:
    """Reads the idx files of a folder as a data set with the splits that the options ask for."""
    return options.dataset(*read_folder(folder, classes))


def read_folder(
    folder: Path, classes: int | None = None
) -> tuple[dict[str, Batch], tuple[str, ...]]:
    """Reads all idx files of a folder.

    Returns:
      The arrays of each stored split by its name, and the names of the classes.
    """
    stored: dict[str, Batch] = {}
    for split, (images, labels) in find_pairs(folder).items():
        targets = read_idx(labels)
        classes = count_classes(targets, labels) if classes is None else classes
        inputs = _with_channel(read_idx(images))
        _check_counts(images, len(inputs), labels, len(targets))
        stored[split] = {"inputs": inputs, "targets": check_labels(targets, classes, labels)}
    assert classes is not None
    return stored, numbered(classes)


def describe_folder(folder: Path, options: ImageSplits, classes: int | None) -> Spec:
    """Returns the specification of the data set that :func:`load_folder` returns."""
    pairs = find_pairs(folder)
    if classes is None:
        classes = count_classes(read_idx(pairs["train"][1]), pairs["train"][1])
    sizes = {}
    for split, (images, labels) in pairs.items():
        sizes[split] = read_header(images)[1][0]
        _check_counts(images, sizes[split], labels, read_header(labels)[1][0])
    dtype, shape = read_header(pairs["train"][0])
    example = (*shape[1:], 1) if len(shape) == 3 else shape[1:]
    stored = {
        "inputs": jax.ShapeDtypeStruct(example, dtype.newbyteorder("=")),
        "targets": jax.ShapeDtypeStruct((), np.int32),
    }
    return options.describe(stored, sizes, numbered(classes))


def find_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Returns the files of images and of labels for each split in a folder, "train" first.

    Raises:
      UserError: there is no such folder, or a file is missing or there twice.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give another with --data.path")
    pairs = {}
    for split, prefixes in PREFIXES.items():
        images, labels = (_find(folder, prefixes, kind) for kind in ("images", "labels"))
        if images and labels:
            pairs[split] = (images, labels)
        elif images or labels or split == "train":
            missing = "images" if not images else "labels"
            raise UserError(f"{folder} has no idx file {prefixes[0]}-{missing}*")
    return pairs


def _find(folder: Path, prefixes: tuple[str, ...], kind: str) -> Path | None:
    """The file of a kind; the unpacked file if there is a packed one too."""
    found = [
        path
        for prefix in prefixes
        for path in sorted(folder.glob(f"{prefix}-{kind}*"))
        if not is_hidden(path.name)
    ]
    by_stem = {path.name.removesuffix(".gz"): path for path in reversed(found)}
    if len(by_stem) > 1:
        names = " and ".join(sorted(by_stem))
        raise UserError(f"{folder} has more than one file of {prefixes[0]}-{kind}: {names}")
    return next(iter(by_stem.values()), None)


def _with_channel(images: np.ndarray) -> np.ndarray:
    """Images (n, height, width) as (n, height, width, 1); other shapes unchanged."""
    return images[..., None] if images.ndim == 3 else images


def _check_counts(images: Path, inputs: int, labels: Path, targets: int) -> None:
    if inputs != targets:
        raise UserError(
            f"{images} holds {inputs} images and {labels.name} {targets} labels; "
            "they must be of one set"
        )


def read_idx(path: Path) -> np.ndarray:
    """Reads an idx file, gzipped or not, as an array in the machine's byte order.

    Raises:
      UserError: the file is missing, truncated or not in this format.
    """
    with _Opened(path) as file:
        dtype, shape = _header(file, path)
        wanted = math.prod(shape) * dtype.itemsize
        # A file of n bytes unpacks to at most n * UNPACKED, so that a header cannot ask for more.
        if wanted > path.stat().st_size * UNPACKED:
            raise UserError(
                f"{path} is truncated: fewer than the {wanted} bytes of {shape}; fetch it again"
            )
        check_memory(wanted, path)
        data = bytearray(wanted)
        if file.readinto(data) != wanted:  # pyright: ignore[reportAttributeAccessIssue]
            raise UserError(
                f"{path} is truncated: fewer than the {wanted} bytes of {shape}; fetch it again"
            )
        if file.read(1):
            raise UserError(f"{path} is damaged: it goes on after the {wanted} bytes of {shape}")
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError:  # No numbers at all, in dimensions that NumPy cannot count.
        raise UserError(f"{path} is damaged: its header speaks of {shape} numbers") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_header(path: Path) -> Header:
    """Returns the dtype and shape of the array in an idx file.

    Raises:
      UserError: the file is missing, truncated or not in this format.
    """
    with _Opened(path) as file:
        return _header(file, path)


def _header(file: IO[bytes], path: Path) -> Header:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] == 0:
        raise UserError(f"{path} is not an idx file: it begins with the bytes '{magic.hex(' ')}'")
    if magic[3] > MOST_DIMENSIONS:
        raise UserError(f"{path} is damaged: its header speaks of {magic[3]} dimensions")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise UserError(f"{path} is truncated within its header; fetch it again")
    return TYPES[magic[2]], tuple(np.frombuffer(sizes, ">u4").tolist())


class _Opened:
    """An open idx file, unpacked while it is read; errors become a UserError."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> IO[bytes]:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {error.strerror}") from None
        packed = self._file.read(2) == b"\x1f\x8b"
        self._file.seek(0)
        self._stream = gzip.GzipFile(fileobj=self._file) if packed else self._file
        return self._stream  # pyright: ignore[reportReturnType]

    def __exit__(self, kind, error, traceback) -> None:
        self._stream.close()
        self._file.close()
        if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
            raise UserError(
                f"{self._path} is truncated or damaged: {error}; fetch it again"
            ) from None


def write_idx(path: Path, array: np.ndarray) -> None:
    """Writes an array as an idx file, gzipped where the name ends in ``.gz``."""
    codes = {dtype.newbyteorder("="): code for code, dtype in TYPES.items()}
    code = codes[array.dtype]
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(array, TYPES[code]).data)
