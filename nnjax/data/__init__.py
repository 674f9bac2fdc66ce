"""Data: named splits of arrays, streams for what does not fit, and where they come from.

A *source* (``Mnist``, ``Blobs``, ``Idx`` ...) is a frozen dataclass of options with one method,
``load()``, and so part of an experiment's configuration.
"""

from nnjax.data.augmentation import Augment
from nnjax.data.cifar10 import Cifar10
from nnjax.data.dataset import Batch, Dataset, Source, Spec, Stream, specification
from nnjax.data.idx import Idx
from nnjax.data.image_folder import ImageFolder
from nnjax.data.importing import import_folder
from nnjax.data.mnist import Mnist
from nnjax.data.npz import Npz
from nnjax.data.preprocessing import Preprocess
from nnjax.data.stream import RecordStream
from nnjax.data.table import Csv
from nnjax.data.tfds import Tfds
from nnjax.data.toys import Beach, Blobs, Circles, Diabetes, Digits

NAMES = {
    "beach": Beach,
    "blobs": Blobs,
    "cifar10": Cifar10,
    "circles": Circles,
    "csv": Csv,
    "diabetes": Diabetes,
    "digits": Digits,
    "idx": Idx,
    "image_folder": ImageFolder,
    "mnist": Mnist,
    "npz": Npz,
    "tfds": Tfds,
}
"""The sources by the names that the command line gives them."""

__all__ = [
    "NAMES",
    "Augment",
    "Batch",
    "Beach",
    "Blobs",
    "Cifar10",
    "Circles",
    "Csv",
    "Dataset",
    "Diabetes",
    "Digits",
    "Idx",
    "ImageFolder",
    "Mnist",
    "Npz",
    "Preprocess",
    "RecordStream",
    "Source",
    "Spec",
    "Stream",
    "Tfds",
    "import_folder",
    "specification",
]
