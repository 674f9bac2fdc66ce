"""Splits: which examples train, validate and test; the options that sources have in common."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import numpy as np

from nnjax.data.augmentation import Augment, check_images, expand_shifts
from nnjax.data.checks import SUBTRACT, check_digits, keeps_digits
from nnjax.data.dataset import SPLITS, Batch, Dataset, Spec
from nnjax.data.preprocessing import Preprocess, permute, statistics
from nnjax.errors import UserError, warn
from nnjax.traced import SEEDS, check_number

Place = tuple[str, slice]
"""Where the examples of a split are: in which stored split, and which of them."""

STANDARDISE = f"standardise them with --data.standardise True, or {SUBTRACT}"

NAMED = 5
"""A warning names at most this many classes."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which examples to use.

    Attributes:
      train: number of training examples: the first of those that validation and test leave, after
        ``seed`` has shuffled them. None takes all of them.
      validation: number of validation examples. Where the source has its own validation split, they
        are a sample of it, drawn by ``seed``, in which the classes have the shares that they have
        in the split. Otherwise they are the last of the shuffled training split. None takes the
        source's own split, if any.
      test: number of test examples, taken like those for validation. None takes the source's own
        split, or else a fifth of its training split.
      seed: shuffles the training examples before any are taken, and draws the sample of another
        split of which only a part is used. None keeps the stored order: it takes the first of each
        split, and the last of the training split for a split that the source does not have, as a
        series in time needs it.
    """

    train: int | None = None
    validation: int | None = None
    test: int | None = None
    seed: int | None = None

    keeps_whole_order: ClassVar[bool] = False
    """Whether training examples keep their stored order, despite a seed, where all are used."""

    def places(self, sizes: Mapping[str, int]) -> dict[str, Place]:
        """Which examples of which stored split make up each split.

        Args:
          sizes: number of examples of each stored split, by its name; "train" must be there.

        Returns:
          For each split the stored split and the places there. With a seed, places in "train" count
          in its shuffled order, and places in another split say only how many are drawn.

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
        """Takes the examples of each split from the stored ones; without a seed, without copying.

        Prints a warning where texts of another split are training texts, too.

        Args:
          stored: the arrays of each stored split, by its name.

        Raises:
          UserError: as in :meth:`places`; the seed is out of range; arrays differ in length.
        """
        lengths = {name: _length(arrays) for name, arrays in stored.items()}
        if self.seed is not None:
            check_number("seed", self.seed, at_least=0, below=SEEDS)
        places = self.places(lengths)
        splits, train = {}, stored["train"]
        is_whole = places["train"][1].stop == lengths["train"]
        if self.seed is not None and not (is_whole and self.keeps_whole_order):
            train = shuffled(train, self.seed)
        for name, (origin, where) in places.items():
            arrays = train if origin == "train" else stored[origin]
            chosen: Any = where
            if origin != "train" and self.seed is not None and where.stop < lengths[origin]:
                generator = np.random.default_rng([self.seed, SPLITS.index(origin)])
                chosen = draw_sample(generator, arrays, where.stop)
            splits[name] = {key: array[chosen] for key, array in arrays.items()}
        objects = [array for array in splits["train"].values() if array.dtype == object]
        if objects and all(map(_holds_texts, objects)):
            warn_of_repeated_examples(splits)
        return splits


@dataclass(frozen=True, kw_only=True)
class Splits(Selection):
    """Which examples to use, and how their inputs are preprocessed.

    Attributes:
      standardise: subtract the mean of the training inputs and divide by their standard deviation,
        of each channel of images, of each feature (the last axis) of anything else.
      preprocess: what is done to the inputs on the device.
    """

    standardise: bool = False
    preprocess: Preprocess = field(default_factory=Preprocess)

    def dataset(self, stored: Mapping[str, Batch], classes: tuple[str, ...] | None) -> Dataset:
        """The data set that the options make of the stored splits."""
        splits = self.select(stored)
        warn_of_missing_classes(splits, classes)
        return self.arrange(splits, classes)

    def arrange(self, splits: Mapping[str, Batch], classes: tuple[str, ...] | None) -> Dataset:
        """The data set of examples already selected.

        Prints a warning where examples of another split are training examples, too.
        """
        warn_of_repeated_examples(splits)
        preprocess = self.fitted(splits["train"]["inputs"])
        for name, arrays in (
            splits.items() if not preprocess.offset and not self.standardise else ()
        ):
            check_digits(arrays["inputs"], f"'inputs' of split '{name}'", STANDARDISE)
        splits = {
            name: {**arrays, "inputs": subtract_offset(arrays["inputs"], preprocess.offset)}
            for name, arrays in splits.items()
        }
        return Dataset(splits, classes, preprocess)

    def fitted(self, inputs: np.ndarray) -> Preprocess:
        """The preprocessing, with the statistics of training inputs (n, ...) if they are wanted.

        Mean and standard deviation are computed in 64 bits. They are of the numbers as stored,
        without ``offset``, which is the mean where 32 bits could not hold the numbers themselves.
        """
        if not self.standardise:
            return self.preprocess
        offset = self.preprocess.offset or find_offset(inputs)
        differences = subtract_offset(inputs, offset, np.float64)
        if self.preprocess.permutation_seed is not None:
            differences = permute(differences, self.preprocess.permutation_seed)
        axes = tuple(range(max(1, inputs.ndim - 1)))
        mean, std = statistics(differences, axes=axes)
        factor = self.preprocess.factor(inputs.dtype)
        return dataclasses.replace(
            self.preprocess,
            mean=tuple(factor * value for value in mean),
            std=tuple(abs(factor) * value for value in std),
            offset=offset,
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
    """Which images to use, and how they are preprocessed and augmented.

    Attributes:
      augment: random changes of the training images, drawn anew for every batch.
      expand_shifts: train on five copies of every image: the image itself, and the image shifted by
        one pixel up, down, left and right.
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
        splits = {**data.splits, "train": train}
        return dataclasses.replace(data, splits=splits, augment=self.augment)

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


def draw_sample(generator: np.random.Generator, arrays: Batch, count: int) -> np.ndarray:
    """Draws ``count`` examples, in which every class has its share; int64 (count,), ascending.

    Args:
      generator: to draw with.
      arrays: of a split. Where ``targets`` (n,) are integers that repeat, they are labels. Without
        such labels every example is equally likely.
      count: at most the number of examples.
    """
    order = generator.permutation(_length(arrays))
    labels = arrays.get("targets")
    if labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu":
        shuffled_labels = labels[order]
        _, inverse, sizes = np.unique(shuffled_labels, return_inverse=True, return_counts=True)
        if 2 * len(sizes) <= len(order):
            # The k-th example of a class of n is put at (k + 1/2) / n of the way, so that each
            # beginning of the new order holds every class in proportion.
            by_class = np.argsort(inverse, kind="stable")
            rank = np.empty(len(order), np.int64)
            rank[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            order = order[np.argsort((rank + 0.5) / sizes[inverse], kind="stable")]
    return np.sort(order[:count])


def find_offset(inputs: np.ndarray) -> tuple[float, ...]:
    """The mean of each feature (the last axis) of which 32 bits would lose digits, else 0.

    Returns:
      A number for each feature; none at all where every feature keeps its digits.
    """
    if inputs.dtype != np.float64:
        return ()
    keeps = keeps_digits(inputs)
    if keeps.all():
        return ()
    columns = inputs.reshape(-1, len(keeps))
    return tuple(np.where(keeps, 0.0, columns.mean(axis=0)).tolist())


def subtract_offset(
    inputs: np.ndarray, offset: tuple[float, ...], dtype: np.typing.DTypeLike = np.float32
) -> np.ndarray:
    """Inputs without ``offset``: the difference in 64 bits, rounded to ``dtype``.

    Without an offset, numbers of 64 bits are rounded to ``dtype``, and others returned as they are.

    Raises:
      UserError: there are neither one number nor as many as features, or the inputs are bytes.
    """
    if not offset:
        return inputs.astype(dtype) if inputs.dtype == np.float64 else inputs
    features = inputs.shape[-1] if inputs.ndim > 1 else 1
    if len(offset) not in (1, features):
        raise UserError(
            f"preprocess.offset has {len(offset)} numbers for {features} channels or features; "
            "give one, or one for each"
        )
    if inputs.dtype == np.uint8:
        raise UserError("preprocess.offset is for numbers that 32 bits cannot hold, not for bytes")
    return (inputs.astype(np.float64) - np.asarray(offset)).astype(dtype)


def warn_of_missing_classes(splits: Mapping[str, Batch], classes: Sequence[str] | None) -> None:
    """Prints a warning for each split without a class that training, or a held-out split, has.

    Prints one, too, where there is only one class: a folder above that of the classes, perhaps.

    Args:
      splits: with ``targets``, of which only labels (n,) are looked at.
      classes: their names; None for a regression.
    """
    if classes is None or splits["train"]["targets"].ndim != 1:
        return
    if len(classes) == 1:
        warn(
            f"every example is of the class '{classes[0]}', so that there is nothing to learn; "
            "name the file, folder or column in which the classes differ"
        )
    present = {
        name: np.bincount(arrays["targets"], minlength=len(classes)) > 0
        for name, arrays in splits.items()
    }
    held_out = [has for name, has in present.items() if name != "train"]
    for name, has in present.items():
        others, whose = (
            (np.any(held_out, axis=0) if held_out else has, "another split")
            if name == "train"
            else (present["train"], "the training split")
        )
        missing = [classes[place] for place in np.flatnonzero(others & ~has).tolist()]
        if missing:
            named = ", ".join(f"'{one}'" for one in missing[:NAMED])
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            kind = "class" if len(missing) == 1 else "classes"
            warn(
                f"the {name} split has no example of the {kind} {named}{more}, of which {whose} "
                "has some; hold out more examples, or draw them with another --data.seed"
            )


def warn_of_repeated_examples(splits: Mapping[str, Batch]) -> None:
    """Prints a warning for each split that shares examples with the training split.

    Examples are the same where all of their arrays are equal.
    """
    held_out = [name for name in splits if name != "train"]
    if not held_out:
        return
    trained = set(_fingerprints(splits["train"]))
    for name in held_out:
        found = [one in trained for one in _fingerprints(splits[name])]
        if any(found):
            warn(
                f"{sum(found):,} of the {len(found):,} examples of the {name} split are training "
                f"examples, too (the first is example {found.index(True)}), so that its metrics "
                "are too good; remove the copies from the files"
            )


def _fingerprints(arrays: Batch) -> list[int]:
    """A hash of each example."""
    hashes = [_hashes(np.asarray(leaf)) for leaf in jax.tree.leaves(dict(arrays))]
    return hashes[0] if len(hashes) == 1 else list(map(hash, zip(*hashes, strict=True)))


def _hashes(array: np.ndarray) -> list[int]:
    if array.dtype == object:
        return [hash(tuple(one) if isinstance(one, list) else one) for one in array]
    rows = np.ascontiguousarray(array).reshape(len(array), -1)
    return [hash(row.tobytes()) for row in rows]


def _holds_texts(array: np.ndarray) -> bool:
    """Whether an array of objects holds texts, or lists of words."""
    return len(array) > 0 and isinstance(array[0], str | list | tuple)


def _length(arrays: Batch) -> int:
    """Number of examples in a stored split.

    Raises:
      UserError: its arrays differ in length.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"the arrays of a split differ in length: {lengths}")
    return next(iter(lengths.values()))
