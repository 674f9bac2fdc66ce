"""Toy data: seven days at the beach, and scikit-learn's blobs, circles, digits and diabetes."""

from dataclasses import dataclass, field
from typing import Annotated

import jax
import numpy as np
import numpy.typing as npt

from nnjax.data.dataset import Dataset, Spec
from nnjax.data.labels import numbered
from nnjax.data.preprocessing import Preprocess
from nnjax.data.splits import ImageSplits, Splits
from nnjax.errors import UserError
from nnjax.fields import Bounds
from nnjax.traced import SEEDS, check_number

MOST_POINTS = 100_000_000
MOST_CENTERS = 10_000
"""Classes: figures and tables name each of them."""

POINT = {
    "inputs": jax.ShapeDtypeStruct((2,), np.float32),
    "targets": jax.ShapeDtypeStruct((), np.int32),
}
DIGIT = {
    "inputs": jax.ShapeDtypeStruct((8, 8, 1), np.uint8),
    "targets": jax.ShapeDtypeStruct((), np.int32),
}
PATIENT = {
    "inputs": jax.ShapeDtypeStruct((10,), np.float32),
    "targets": jax.ShapeDtypeStruct((), np.float32),
}


@dataclass(frozen=True)
class Beach:
    """Seven days (cloudy, hot, windy), each graded 1 to 3, and whether one went to the beach.

    The classes are linearly separable. There is only a training split.

    Attributes:
      preprocess: what is done to the inputs on the device.

    Example:
      >>> from nnjax.data import Beach
      >>> data = Beach().load()
      >>> data.classes, data.split("train")["inputs"][0].tolist()
      (('home', 'beach'), [1.0, 3.0, 2.0])
    """

    preprocess: Preprocess = field(default_factory=Preprocess)

    def load(self) -> Dataset:
        """Inputs (7, 3) float32, targets (7,) int32: 0 for "home", 1 for "beach"."""
        days = [(1, 3, 2), (3, 3, 2), (1, 3, 3), (1, 1, 2), (1, 2, 2), (2, 3, 1), (2, 1, 2)]
        went = [1, 1, 0, 0, 0, 1, 0]
        train = {"inputs": np.array(days, np.float32), "targets": np.array(went, np.int32)}
        return Dataset({"train": train}, ("home", "beach"), self.preprocess)


@dataclass(frozen=True)
class Blobs(Splits):
    """Points of the plane in round clusters: ``sklearn.datasets.make_blobs``.

    Attributes:
      examples: number of points, of all splits together.
      centers: number of clusters, which are the classes.
      center_box: bounds of both coordinates of the clusters' centers, which are drawn uniformly.
      spread: standard deviation of a cluster.
      seed: draws the points, and then shuffles them before any are taken.

    Example:
      >>> from nnjax.data import Blobs
      >>> data = Blobs(examples=50, centers=3).load()
      >>> data.outputs, data.size("train"), data.size("test")
      (3, 40, 10)
    """

    examples: Annotated[int, Bounds(at_most=MOST_POINTS)] = 500
    centers: Annotated[int, Bounds(at_most=MOST_CENTERS)] = 2
    center_box: tuple[float, float] = (-3.0, 3.0)
    spread: float = 1.0
    seed: int = field(default=0, kw_only=True)

    def load(self) -> Dataset:
        """Inputs (n, 2) float32, targets (n,) int32; a fifth is the test split."""
        # Imported here, because scikit-learn takes most of a second to import.
        from sklearn.datasets import make_blobs

        self._check()
        points, labels, *_ = make_blobs(
            self.examples,
            centers=self.centers,
            center_box=self.center_box,
            cluster_std=self.spread,
            random_state=self.seed,
        )
        return self.dataset({"train": _points(points, labels)}, numbered(self.centers))

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns, without drawing any points."""
        self._check()
        return self.describe(POINT, {"train": self.examples}, numbered(self.centers))

    def _check(self) -> None:
        _check_positive(examples=self.examples, centers=self.centers)
        check_number("spread of the blobs", self.spread, at_least=0)
        check_number("seed", self.seed, at_least=0, below=SEEDS)


@dataclass(frozen=True)
class Circles(Splits):
    """Points on two circles, one inside the other: ``sklearn.datasets.make_circles``.

    Attributes:
      examples: number of points, of all splits together.
      noise: standard deviation of the noise on both coordinates.
      factor: radius of the inner circle (class 1); that of the outer (class 0) is 1.
      seed: draws the noise, and then shuffles the points before any are taken.

    Example:
      >>> from nnjax.data import Circles
      >>> Circles(examples=50, noise=0.0).load().split("train")["inputs"].shape
      (40, 2)
    """

    examples: Annotated[int, Bounds(at_most=MOST_POINTS)] = 500
    noise: float = 0.1
    factor: float = 0.8
    seed: int = field(default=0, kw_only=True)

    def load(self) -> Dataset:
        """Inputs (n, 2) float32, targets (n,) int32; a fifth is the test split."""
        # Imported here, because scikit-learn takes most of a second to import.
        from sklearn.datasets import make_circles

        self._check()
        points, labels = make_circles(
            self.examples, noise=self.noise, factor=self.factor, random_state=self.seed
        )
        return self.dataset({"train": _points(points, labels)}, numbered(2))

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns, without drawing any points."""
        self._check()
        return self.describe(POINT, {"train": self.examples}, numbered(2))

    def _check(self) -> None:
        _check_positive(examples=self.examples)
        check_number("noise of the circles", self.noise, at_least=0)
        check_number("factor of the circles", self.factor, at_least=0, below=1)
        check_number("seed", self.seed, at_least=0, below=SEEDS)


@dataclass(frozen=True)
class Digits(ImageSplits):
    """1,797 handwritten digits of 8x8 pixels, graded 0 to 16: ``sklearn.datasets.load_digits``.

    Attributes:
      seed: shuffles the digits before any are taken.
      preprocess: what is done to the inputs on the device.

    Example:
      >>> from nnjax.data import Digits
      >>> data = Digits(train=100, test=50).load()
      >>> data.split("train")["inputs"].shape, data.outputs
      ((100, 8, 8, 1), 10)
    """

    seed: int | None = field(default=0, kw_only=True)
    preprocess: Preprocess = field(default=Preprocess(scale=1 / 16), kw_only=True)

    def load(self) -> Dataset:
        """Inputs (n, 8, 8, 1) uint8, targets (n,) int32; a fifth is the test split."""
        # Imported here, because scikit-learn takes most of a second to import.
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        digits = {
            "inputs": images.astype(np.uint8).reshape(-1, 8, 8, 1),
            "targets": labels.astype(np.int32),
        }
        return self.dataset({"train": digits}, numbered(10))

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns, without reading the images."""
        return self.describe(DIGIT, {"train": 1797}, numbered(10))


@dataclass(frozen=True)
class Diabetes(Splits):
    """442 patients: ten measurements, and the progress of diabetes after a year (25 to 346).

    A regression (Efron et al., Least Angle Regression, 2004): ``sklearn.datasets.load_diabetes``.

    Attributes:
      seed: shuffles the patients before any are taken.
      standardise: subtract the mean of the training inputs and divide by their standard deviation.

    Example:
      >>> from nnjax.data import Diabetes
      >>> data = Diabetes().load()
      >>> data.stored["inputs"].shape, data.classes
      ((10,), None)
    """

    seed: int | None = field(default=0, kw_only=True)
    standardise: bool = field(default=True, kw_only=True)

    def load(self) -> Dataset:
        """Inputs (n, 10) float32, targets (n,) float32; a fifth is the test split."""
        # Imported here, because scikit-learn takes most of a second to import.
        from sklearn.datasets import load_diabetes

        inputs, targets = load_diabetes(return_X_y=True, scaled=False)
        patients = {
            "inputs": np.asarray(inputs, np.float32),
            "targets": np.asarray(targets, np.float32),
        }
        return self.dataset({"train": patients}, None)

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns, without reading the table."""
        return self.describe(PATIENT, {"train": 442}, None)


def _points(points: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, np.ndarray]:
    return {"inputs": np.asarray(points, np.float32), "targets": np.asarray(labels, np.int32)}


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"{name}={number} must be 1 or more")
