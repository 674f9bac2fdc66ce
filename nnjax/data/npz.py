"""A source of arrays in an npz file, as ``numpy.savez`` writes it."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from nnjax.data.checks import check_digits, check_memory
from nnjax.data.dataset import Batch, Dataset
from nnjax.data.directory import given_path
from nnjax.data.labels import check_distinct, check_labels, convert, count_classes, narrow, numbered
from nnjax.data.splits import ImageSplits
from nnjax.errors import UserError

NAMES = {
    "train": (("inputs", "targets"), ("x_train", "y_train"), ("x", "y")),
    "validation": (("x_validation", "y_validation"), ("x_val", "y_val")),
    "test": (("x_test", "y_test"),),
}
"""The names of the two arrays of a split."""


@dataclass(frozen=True)
class Npz(ImageSplits):
    """Arrays in an npz file: ``inputs`` and ``targets``; or ``x_train``, ``y_train`` and so on.

    Integer targets are classes, with the names in the array ``class_names`` if there is one;
    floating-point targets make a regression. Bytes of shape (n, height, width) are grey images.
    64-bit numbers become 32-bit numbers; a number that does not fit is an error.

    Attributes:
      path: the file.
      classes: number of classes; None takes what the training labels show.
      regression: take integer targets as numbers, too.
      seed: as in every source; by default 0, for the examples may lie there class by class. Where
        all training examples are used, they keep their order.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import Npz
      >>> np.savez("flowers.npz", x=np.ones((10, 4), np.float32), y=np.arange(10) % 2)
      >>> data = Npz("flowers.npz", test=2).load()
      >>> data.size("train"), data.classes
      (8, ('0', '1'))
    """

    path: Path = Path("data.npz")
    classes: int | None = None
    regression: bool = False
    seed: int | None = field(default=0, kw_only=True)

    keeps_whole_order = True

    def load(self) -> Dataset:
        """Inputs (n, ...) as stored, targets (n,) int32 or (n,) or (n, outputs) float32.

        Raises:
          UserError: the file is missing, damaged or does not hold such arrays, or a number is not
            finite or takes more than 32 bits.
        """
        stored, classes = read_npz(given_path(self.path), self.classes, self.regression)
        return self.dataset(stored, classes)


def read_npz(
    path: Path, classes: int | None = None, regression: bool = False
) -> tuple[dict[str, Batch], tuple[str, ...] | None]:
    """Reads the arrays of each stored split and the names of the classes; None for a regression."""
    try:
        with path.open("rb") as opened:
            arrays = _read_arrays(opened, path)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; give another with --data.path") from None
    except _DAMAGE as error:
        # NumPy explains at length how to load a pickle, which an array of objects is.
        why = "" if "pickle" in str(error) or not str(error) else f": {error}"
        raise UserError(f"{path} cannot be read as an npz file of numbers{why}") from None
    for name, array in arrays.items():
        if array.ndim == 0:
            raise UserError(f"'{name}' of {path} is a single number, not an array of examples")
    pairs = {split: pair for split in NAMES if (pair := _find(arrays, split))}
    names = _class_names(arrays, path, classes)
    dtype = arrays[pairs["train"][1]].dtype
    is_regression = regression or dtype.kind == "f"
    if is_regression and not regression and names is not None:
        raise UserError(
            f"'{pairs['train'][1]}' of {path} is {dtype}, but the labels of classes must be "
            "integers; store them so"
        )
    if not is_regression and names is None:
        key = pairs["train"][1]
        labels = _flat(arrays[key])
        otherwise = ", or learn numbers with --data.regression"
        names = numbered(count_classes(labels, f"'{key}' of {path}", otherwise))
    stored = {}
    for split, (inputs, targets) in pairs.items():
        where = f"'{targets}' of {path}"
        stored[split] = {
            "inputs": _with_channel(
                narrow(arrays[inputs], f"'{inputs}' of {path}", keep_digits=True)
            ),
            "targets": convert(arrays[targets], np.float32, where)
            if is_regression
            else check_labels(_flat(arrays[targets]), len(names or ()), where),
        }
        if is_regression:
            check_digits(arrays[targets], where)
    return stored, None if is_regression else names


_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    RecursionError,
    # Python 3.12 refuses deeply nested brackets itself, while NumPy splits a header into tokens.
    tokenize.TokenError,
    MemoryError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise on damaged archives and headers."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The compression that ``numpy.savez`` and ``numpy.savez_compressed`` use."""

MOST_NAMES = 20


def _read_arrays(opened: IO[bytes], path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file that have a name in ``NAMES``, and ``class_names``."""
    if opened.read(6) == b"\x93NUMPY":
        raise UserError(f"{path} is a single array, not an npz file of several")
    with zipfile.ZipFile(opened) as archive:
        members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
        pairs = {split: _find(members, split) for split in NAMES}
        if pairs["train"] is None:
            names = sorted(members)
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            present = ", ".join(f"{name:.50}" for name in names[:MOST_NAMES]) or "nothing"
            raise UserError(
                f"{path} must hold the arrays inputs and targets, or x_train and y_train; "
                f"it holds {present}{more}"
            )
        wanted = [name for pair in pairs.values() if pair for name in pair]
        wanted += ["class_names"] * ("class_names" in members)
        # All together: each alone may fit into the memory.
        check_memory(sum(members[name].file_size for name in wanted), path)
        return {name: _read_array(archive, members[name], name, path) for name in wanted}


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, path: Path
) -> np.ndarray:
    """One array; its size in the header must be that of the member, before memory is taken."""
    where = f"'{name}' of {path}"
    if member.flag_bits & 1:
        raise UserError(f"{where} is encrypted; store it without a password")
    if member.compress_type not in METHODS:
        raise UserError(f"{where} is compressed in a way that NumPy does not read; save it anew")
    if not member.filename.endswith(".npy"):
        raise UserError(f"{where} is the file {member.filename}, not an array")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        shape, fortran_order, dtype = _read_header(file, version)
        size, rest = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
        if dtype.hasobject:
            raise UserError(f"{path} cannot be read as an npz file of numbers")
        if size != rest:
            raise UserError(f"{where} is damaged: {rest} bytes for an array of {size} bytes")
        data = bytearray(size)
        if file.readinto(data) != size:  # pyright: ignore[reportAttributeAccessIssue]
            raise EOFError(f"'{name}' is truncated")
        file.read(1)  # At its end zipfile compares the checksums.
    order = "F" if fortran_order else "C"
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _read_header(file: IO[bytes], version: tuple[int, int]) -> tuple[tuple, bool, np.dtype]:
    """Shape, order and dtype of an array; NumPy refuses headers of more than 10,000 bytes."""
    formats = np.lib.format
    if version == (1, 0):
        return formats.read_array_header_1_0(file)
    if version == (2, 0):
        return formats.read_array_header_2_0(file)
    raise ValueError(f"its format has the version {version}")


def _find(arrays: Container[str], split: str) -> tuple[str, str] | None:
    for pair in NAMES[split]:
        if all(name in arrays for name in pair):
            return pair
    return None


def _class_names(
    arrays: Mapping[str, np.ndarray], path: Path, classes: int | None
) -> tuple[str, ...] | None:
    if "class_names" not in arrays:
        return None if classes is None else numbered(classes)
    stored = arrays["class_names"].ravel()
    if stored.dtype.kind == "S":
        stored = np.char.decode(stored, "utf-8", "replace")
    names = tuple(map(str, stored))
    check_distinct(names, path)
    if classes not in (None, len(names)):
        raise UserError(f"classes={classes}, but {path} names {len(names)}")
    return names


def _flat(labels: np.ndarray) -> np.ndarray:
    """Labels (n, 1) as (n,); other shapes unchanged."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _with_channel(inputs: np.ndarray) -> np.ndarray:
    """Bytes (n, height, width) as (n, height, width, 1); other arrays unchanged."""
    return inputs[..., None] if inputs.ndim == 3 and inputs.dtype == np.uint8 else inputs
