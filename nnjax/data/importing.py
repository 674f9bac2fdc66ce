"""Import of your own files as a TFDS set in the format array_record; needs no TensorFlow."""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.directory import given_path, is_hidden
from nnjax.data.images.cifar10 import CLASSES, read_binaries
from nnjax.data.images.decoding import decode
from nnjax.data.images.idx import read_folder
from nnjax.data.images.image_folder import SEED, find_images
from nnjax.data.labels import narrow
from nnjax.data.npz import read_npz
from nnjax.data.splits import shuffled
from nnjax.data.tfds import import_tfds, quiet
from nnjax.errors import UserError

VERSION = "1.0.0"

Arrays = Mapping[str, Batch]


def import_folder(name: str, from_: Path, data_dir: Path | None = None) -> Path:
    """The folder of a new TFDS set, written from files of your own; ``Tfds(name)`` loads the set.

    Arrays keep their order. Training images of a folder, which lie there class by class, are
    written shuffled, so that ``Tfds(name, seed=None)`` has the splits of ``ImageFolder``.

    Args:
      name: of the new set: lower-case letters, digits and underscores.
      from_: a folder of idx files, of CIFAR-10 binaries, with one npz file, or of images in folders
        named like their classes; or an npz file.
      data_dir: where TFDS sets are kept; None is $TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Returns:
      The folder of the set.

    Raises:
      UserError: the name is taken or not allowed, there is nothing to import, a file is damaged, or
        the set cannot be written. The set is written whole or not at all.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Tfds, import_folder
      >>> import_folder("pets", Path("photos"))  # doctest: +SKIP
      PosixPath('.../tensorflow_datasets/pets/1.0.0')
      >>> data = Tfds("pets", size=(64, 64)).load()  # doctest: +SKIP
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"'{name}' cannot name a set: it must be lower-case letters, digits and underscores"
        )
    source = given_path(from_)
    tfds = import_tfds()
    if name in tfds.list_builders(with_community_datasets=False):
        raise UserError(f"TFDS itself has a set '{name}'; choose another name")
    stored, classes = _read(source)
    if stored["train"]["inputs"].dtype != object:
        # Refuses arrays that do not fit each other, before anything is written.
        Dataset(stored, classes, None)
        stored = {
            split: {**arrays, "inputs": narrow(arrays["inputs"], f"'inputs' of '{split}'")}
            for split, arrays in stored.items()
        }
    builder = _make_builder(name, stored, classes, data_dir)
    folder = Path(builder.data_dir)
    if folder.exists():
        raise UserError(f"there is a set '{name}' in {folder}; choose another name or remove it")
    try:
        with quiet():
            builder.download_and_prepare()
    except OSError as error:
        raise UserError(
            f"the set cannot be written to {folder}: {error.strerror or error}; name another "
            "folder with --data-dir"
        ) from None
    return folder


def _read(source: Path) -> tuple[Arrays, tuple[str, ...] | None]:
    """The examples of each split, image files as paths, and the names of the classes."""
    if source.is_file() or (source.is_dir() and _one_npz(source)):
        return read_npz(_one_npz(source) or source)
    if not source.is_dir():
        raise UserError(f"there is no folder {source}")
    if any(source.glob("train-images*")):
        return read_folder(source)
    if any(source.glob("data_batch_*.bin")):
        return read_binaries(source), CLASSES
    stored, classes = find_images(source)
    for split in stored.values():
        for path in split["inputs"]:
            # Every image must decode before anything is written.
            decode(path, None, 3, str(path))
    return {**stored, "train": shuffled(stored["train"], SEED)}, classes


def _one_npz(folder: Path) -> Path | None:
    paths = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    found = [path for path in paths if not is_hidden(path.name)]
    if len(found) > 1:
        raise UserError(f"{folder} holds {len(found)} npz files; name the one to import")
    return found[0] if found else None


def _make_builder(
    name: str, stored: Arrays, classes: tuple[str, ...] | None, data_dir: Path | None
) -> Any:
    """The TFDS builder that writes the examples."""
    tfds = import_tfds()
    inputs, targets = stored["train"]["inputs"], stored["train"]["targets"]
    keys = ("image", "label") if _is_image(inputs) else ("inputs", "targets")
    features = {keys[0]: _input_feature(inputs), keys[1]: _target_feature(targets, classes)}

    class Imported(  # pyright: ignore[reportGeneralTypeIssues]
        tfds.core.GeneratorBasedBuilder,
        skip_registration=True,  # pyright: ignore[reportCallIssue]
    ):
        """Examples that are read in the order in which they are written."""

        VERSION = tfds.core.Version(VERSION)

        def __init__(self, **options):
            self.name = name
            super().__init__(**options)

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                description="Imported from files by nnjax.",
                features=tfds.features.FeaturesDict(features),
                supervised_keys=keys,
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager):
            del dl_manager
            return {split: self._generate_examples(stored[split]) for split in stored}

        def _generate_examples(self, split):
            yield from enumerate(_examples(split, keys))

    folder = None if data_dir is None else str(Path(data_dir).expanduser())
    return Imported(data_dir=folder, file_format="array_record")


def _is_image(inputs: np.ndarray) -> bool:
    """Whether inputs (n, ...) are paths of image files, or arrays that a PNG file can hold."""
    as_pixels = inputs.dtype == np.uint8 and inputs.ndim == 4 and inputs.shape[-1] in (1, 3)
    return inputs.dtype == object or as_pixels


def _input_feature(inputs: np.ndarray) -> Any:
    features = import_tfds().features
    if inputs.dtype == object:
        return features.Image(shape=(None, None, 3))
    if _is_image(inputs):
        return features.Image(shape=inputs.shape[1:], encoding_format="png")
    return features.Tensor(shape=inputs.shape[1:], dtype=inputs.dtype)


def _target_feature(targets: np.ndarray, classes: tuple[str, ...] | None) -> Any:
    features = import_tfds().features
    if classes is not None:
        return features.ClassLabel(names=list(classes))
    return features.Tensor(shape=targets.shape[1:], dtype=targets.dtype)


def _examples(split: Batch, keys: tuple[str, str]) -> Iterator[dict[str, Any]]:
    is_image = _is_image(split["inputs"])
    for inputs, targets in zip(split["inputs"], split["targets"], strict=True):
        if is_image:
            inputs = inputs.read_bytes() if isinstance(inputs, Path) else _png(inputs)
        yield {keys[0]: inputs, keys[1]: targets.item() if targets.ndim == 0 else targets}


def _png(pixels: np.ndarray) -> bytes:
    """(height, width, 1 or 3) uint8 as a PNG file, for which TFDS itself would need TensorFlow."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "png")
    return file.getvalue()
