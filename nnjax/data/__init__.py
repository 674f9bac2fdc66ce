"""Data: named splits of arrays, streams of data that does not fit in memory, and their sources.

A *source* (``Mnist``, ``Blobs``, ``Idx`` ...) is a frozen dataclass of options with one method,
``load()``, so that it can be part of an experiment's configuration.
"""

from nnjax.data.augmentation import Augment
from nnjax.data.dataset import Batch, Dataset, Source, Spec, Stream, conform, specification
from nnjax.data.images.cifar10 import Cifar10
from nnjax.data.images.idx import Idx
from nnjax.data.images.image_folder import ImageFolder
from nnjax.data.images.mnist import Mnist
from nnjax.data.importing import import_folder
from nnjax.data.npz import Npz
from nnjax.data.preprocessing import Preprocess
from nnjax.data.stream import RecordStream
from nnjax.data.tables.table import Csv
from nnjax.data.tables.toys import Beach, Blobs, Circles, Diabetes, Digits
from nnjax.data.tasks import Adding, Addition, Copy, Parity
from nnjax.data.text.buckets import Bucketed
from nnjax.data.text.digit_names import DigitNames
from nnjax.data.text.labelled import LabelledText
from nnjax.data.text.parallel import ParallelText
from nnjax.data.text.python_code import PythonCode
from nnjax.data.text.tagged import TaggedText
from nnjax.data.text.text import Recipes, Text
from nnjax.data.text.windows import Windows
from nnjax.data.tfds import Tfds
from nnjax.data.vocabulary import Vocabulary
from nnjax.data.words import Tokeniser

NAMES = {
    "adding": Adding,
    "addition": Addition,
    "beach": Beach,
    "blobs": Blobs,
    "cifar10": Cifar10,
    "circles": Circles,
    "copy": Copy,
    "csv": Csv,
    "diabetes": Diabetes,
    "digit_names": DigitNames,
    "digits": Digits,
    "idx": Idx,
    "image_folder": ImageFolder,
    "labelled_text": LabelledText,
    "mnist": Mnist,
    "npz": Npz,
    "parallel_text": ParallelText,
    "parity": Parity,
    "python_code": PythonCode,
    "recipes": Recipes,
    "tagged_text": TaggedText,
    "text": Text,
    "tfds": Tfds,
}
"""The sources by the names that the command line gives them."""

__all__ = [
    "NAMES",
    "Adding",
    "Addition",
    "Augment",
    "Batch",
    "Beach",
    "Blobs",
    "Bucketed",
    "Cifar10",
    "Circles",
    "Copy",
    "Csv",
    "Dataset",
    "Diabetes",
    "DigitNames",
    "Digits",
    "Idx",
    "ImageFolder",
    "LabelledText",
    "Mnist",
    "Npz",
    "ParallelText",
    "Parity",
    "Preprocess",
    "PythonCode",
    "Recipes",
    "RecordStream",
    "Source",
    "Spec",
    "Stream",
    "TaggedText",
    "Text",
    "Tfds",
    "Tokeniser",
    "Vocabulary",
    "Windows",
    "conform",
    "import_folder",
    "specification",
]
