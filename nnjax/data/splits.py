"""Splits: which examples train, validate and test; the options that sources have in common."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import numpy as np

from nnjax.data.augmentation import Augment, check_images, expand_shifts
from nnjax.data.dataset import SPLITS, Batch, Dataset, Spec
from nnjax.data.preprocessing import Preprocess, permute, statistics
from nnjax.errors import UserError
from nnjax.traced import SEEDS, check_number

Place = tuple[str, slice]
"""Where the examples of a split are: in which stored split, and which of them."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which examples to use.

    Attributes:
      train: number of training examples, the first of what validation and test leave; None takes
        all of them.
      validation: number of validation examples: the first of the source's own validation split, or
        the last of its training split where it has none. None takes the source's own split, if any.
      test: number of test examples: the first of the source's own test split, or the last of its
        training split where it has none. None takes the source's own split, or else a fifth.
      seed: shuffles the training examples before any are taken; None keeps their order.
    """

    train: int | None = None
    validation: int | None = None
    test: int | None = None
    seed: int | None = None

    def places(self, sizes: Mapping[str, int]) -> dict[str, Place]:
        """Which examples of which stored split make up each split.

        Args:
          sizes: number of examples of each stored split, by its name; "train" must be there. Where
            there is a seed, places in "train" count in its shuffled order.

        Raises:
          UserError: more examples are asked for than there are, or none is left to train on.
        """
        for name in SPLITS:
            if (getattr(self, name) or 0) < 0:
                raise UserError(f"{name}={getattr(self, name)} must be 0 or more examples")
        held_out = {}
        end = sizes["train"]
        for name in ("test", "validation"):
            wanted = getattr(self, name)
            if name in sizes:
                count = self._count(name, wanted, sizes[name])
                held_out[name] = (name, slice(0, count))
            else:
                fifth = end // 5 if name == "test" else 0
                count = self._count(name, fifth if wanted is None else wanted, end)
                held_out[name] = ("train", slice(end - count, end))
                end -= count
        train = ("train", slice(0, self._count("train", self.train, end)))
        if train[1].stop == 0:
            raise UserError(f"of {sizes['train']} training examples none is left to train on")
        return {
            name: place
            for name, place in (("train", train), *reversed(held_out.items()))
            if place[1].stop > place[1].start
        }

    @staticmethod
    def _count(name: str, wanted: int | None, available: int) -> int:
        if wanted is not None and wanted > available:
            raise UserError(
                f"{name}={wanted} asks for more than the {available} examples there are"
            )
        return available if wanted is None else wanted

    def select(self, stored: Mapping[str, Batch]) -> dict[str, Batch]:
        """Takes the examples of each split from what is stored; without a seed, without copying."""
        places = self.places({name: _length(arrays) for name, arrays in stored.items()})
        if self.seed is not None:
            stored = {**stored, "train": shuffled(stored["train"], self.seed)}
        return {
            name: {key: array[where] for key, array in stored[origin].items()}
            for name, (origin, where) in places.items()
        }


@dataclass(frozen=True, kw_only=True)
class Splits(Selection):
    """The same, and how the inputs are preprocessed.

    Attributes:
      standardise: subtract the mean of the training inputs and divide by their standard deviation,
        of each channel of images, of each feature (the last axis) of anything else.
      preprocess: what is done to the inputs on the device.
    """

    standardise: bool = False
    preprocess: Preprocess = field(default_factory=Preprocess)

    def dataset(self, stored: Mapping[str, Batch], classes: tuple[str, ...] | None) -> Dataset:
        """The data set that the options make of the stored splits."""
        return self.arrange(self.select(stored), classes)

    def arrange(self, splits: Mapping[str, Batch], classes: tuple[str, ...] | None) -> Dataset:
        """The data set of examples already selected."""
        return Dataset(splits, classes, self.fitted(splits["train"]["inputs"]))

    def fitted(self, inputs: np.ndarray) -> Preprocess:
        """The preprocessing, with the statistics of training inputs (n, ...) if they are wanted."""
        if not self.standardise:
            return self.preprocess
        if self.preprocess.permutation_seed is not None:
            inputs = permute(inputs, self.preprocess.permutation_seed)
        mean, std = statistics(inputs, axes=tuple(range(max(1, inputs.ndim - 1))))
        factor = self.preprocess.factor(inputs.dtype)
        return dataclasses.replace(
            self.preprocess,
            mean=tuple(factor * value for value in mean),
            std=tuple(abs(factor) * value for value in std),
        )

    def describe(
        self,
        stored: Mapping[str, jax.ShapeDtypeStruct],
        sizes: Mapping[str, int],
        classes: tuple[str, ...] | None,
    ) -> Spec:
        """The specification of what :meth:`dataset` would make of stored splits of these sizes."""
        places = self.places(sizes)
        sizes = {name: where.stop - where.start for name, (_, where) in places.items()}
        return Spec(stored, sizes, classes, self.preprocess)


@dataclass(frozen=True, kw_only=True)
class ImageSplits(Splits):
    """The same for sources of images.

    Attributes:
      augment: random changes of the training images, drawn anew for every batch.
      expand_shifts: train on five copies of every image: itself and shifted by one pixel up, down,
        left and right.
    """

    augment: Augment = field(default_factory=Augment)
    expand_shifts: bool = False

    def arrange(self, splits: Mapping[str, Batch], classes: tuple[str, ...] | None) -> Dataset:
        """The data set of examples already selected."""
        data = super().arrange(splits, classes)
        train = data.splits["train"]
        if self.expand_shifts:
            train = {
                name: expand_shifts(array) if name == "inputs" else np.concatenate([array] * 5)
                for name, array in train.items()
            }
        return dataclasses.replace(data, splits={**splits, "train": train}, augment=self.augment)

    def describe(
        self,
        stored: Mapping[str, jax.ShapeDtypeStruct],
        sizes: Mapping[str, int],
        classes: tuple[str, ...] | None,
    ) -> Spec:
        """The specification of what :meth:`dataset` would make of stored splits of these sizes."""
        spec = super().describe(stored, sizes, classes)
        if self.expand_shifts:
            check_images((1, *stored["inputs"].shape), "expand_shifts needs")
            spec = dataclasses.replace(spec, sizes={**spec.sizes, "train": 5 * spec.size("train")})
        return dataclasses.replace(spec, augment=self.augment)


def shuffled(arrays: Batch, seed: int) -> Batch:
    """The examples of a stored split in the order that a seed draws.

    Raises:
      UserError: the seed is out of range, or the arrays differ in length.
    """
    check_number("seed", seed, at_least=0, below=SEEDS)
    order = np.random.default_rng(seed).permutation(_length(arrays))
    return {name: array[order] for name, array in arrays.items()}


def _length(arrays: Batch) -> int:
    """Number of examples in a stored split.

    Raises:
      UserError: its arrays differ in length.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"the arrays of a split differ in length: {lengths}")
    return next(iter(lengths.values()))
