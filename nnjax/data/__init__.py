"""Data: named splits of arrays, streams for what does not fit, and where they come from.

A *source* (``Mnist``, ``Blobs``, ``Idx`` ...) is a frozen dataclass of options with one method,
``load()``, and so part of an experiment's configuration.
"""

from nnjax.data.augmentation import Augment
from nnjax.data.dataset import Batch, Dataset, Source, Spec, Stream, specification
from nnjax.data.idx import Idx
from nnjax.data.mnist import Mnist
from nnjax.data.preprocessing import Preprocess
from nnjax.data.toys import Beach, Blobs, Circles, Digits

NAMES = {
    "beach": Beach,
    "blobs": Blobs,
    "circles": Circles,
    "digits": Digits,
    "idx": Idx,
    "mnist": Mnist,
}
"""The sources by the names that the command line gives them."""

__all__ = [
    "NAMES",
    "Augment",
    "Batch",
    "Beach",
    "Blobs",
    "Circles",
    "Dataset",
    "Digits",
    "Idx",
    "Mnist",
    "Preprocess",
    "Source",
    "Spec",
    "Stream",
    "specification",
]
