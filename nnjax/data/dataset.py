"""The forms of data: arrays in memory, streams, and the specification of either."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from nnjax.data.augmentation import Augment
from nnjax.data.checks import check_arrays, check_digits, check_targets, path_name
from nnjax.data.conforming import check_inputs, label_map, lengthen, rebase, relabel
from nnjax.data.order import epoch_order
from nnjax.data.preprocessing import Preprocess, ids
from nnjax.data.vocabulary import Vocabulary
from nnjax.errors import UserError, nearest

Batch = Mapping[str, Any]
"""Arrays by name, all with the same number of examples along the first axis: ``inputs``,
``targets`` and, where some examples do not count, ``mask`` (1 for an example that counts, else 0).
``inputs`` may itself be a dict of arrays. Ids of words are integers; a negative id is padding."""

SPLITS = ("train", "validation", "test")
"""The names of the splits, in the order in which they are shown."""

NO_TARGETS = "the data has no targets to learn"

STREAM_BATCH = 200
"""Size of an evaluation batch of a stream, whose examples may be large, and slow to decode."""


class Described:
    """Shapes, classes and vocabularies of data, and the preprocessing of its batches.

    Attributes:
      stored: shape and dtype of one example as stored, by the array's name.
      classes: the names of the classes, in the order of the targets; None for a regression.
      preprocess: applied to the inputs on the device, in training and evaluation; None leaves ids
        of words, or several arrays, as they are.
      augment: applied to the inputs on the device before ``preprocess``, in training only.
      vocabulary: the words of the inputs, where these are ids.
      target_vocabulary: the words of the targets, where these are predicted word by word.
      preprocessed: the array that ``augment`` and ``preprocess`` are applied to, where the inputs
        are several arrays, such as "source" for images with captions.
      maximum_length: the number of words, or characters, after which texts are cut; None cuts none.
    """

    stored: Mapping[str, Any]
    classes: tuple[str, ...] | None
    preprocess: Preprocess | None
    augment: Augment
    vocabulary: Vocabulary | None = None
    target_vocabulary: Vocabulary | None = None
    preprocessed: str | None = None
    maximum_length: int | None = None

    def size(self, name: str) -> int:
        """Number of examples in a split; 0 where the data has no such split."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """Number of outputs that a model of this data needs: classes, words, or numbers.

        Raises:
          UserError: the examples hold no targets.
        """
        if self.classes is not None:
            return len(self.classes)
        if self.target_vocabulary is not None:
            return len(self.target_vocabulary)
        if "targets" not in self.stored:
            raise UserError(f"{NO_TARGETS}; its examples hold {', '.join(self.stored)}")
        shape = self.stored["targets"].shape
        return shape[-1] if shape else 1

    def prepare(self, batch: Batch, key: jax.Array | None = None) -> Batch:
        """The batch that a learner takes, from a batch as stored; pure, to be called under ``jit``.

        Args:
          batch: with ``inputs`` as stored.
          key: given in training, where it draws the augmentation; None in evaluation.
        """
        inputs = batch["inputs"]
        if self.preprocess is None:
            inputs = inputs if key is None else self.augment(key, inputs)
            return {name: ids(array) for name, array in {**batch, "inputs": inputs}.items()}
        if not isinstance(inputs, Mapping):
            return {**batch, "inputs": self._scale(inputs, key)}
        if self.preprocessed is None:
            raise UserError("inputs of several arrays are not scaled as one; give preprocess=None")
        scaled = self._scale(inputs[self.preprocessed], key)
        prepared = {name: ids(array) for name, array in batch.items()}
        return {**prepared, "inputs": {**prepared["inputs"], self.preprocessed: scaled}}

    def _scale(self, array: jax.Array, key: jax.Array | None) -> jax.Array:
        """One array of inputs, augmented where there is a key, and preprocessed."""
        assert self.preprocess is not None
        return self.preprocess(array if key is None else self.augment(key, array))

    def example(self, batch_size: int = 1) -> Any:
        """Shape and dtype of a batch that :meth:`prepare` returns; nothing is computed."""
        stored = jax.tree.map(
            # The device holds 64-bit numbers as 32-bit numbers.
            lambda one: jax.ShapeDtypeStruct(
                (batch_size, *one.shape), jax.dtypes.canonicalize_dtype(one.dtype)
            ),
            dict(self.stored),
        )
        return jax.eval_shape(self.prepare, stored)


@dataclass(frozen=True)
class Spec(Described):
    """Shapes, sizes and classes of data that is not read yet: enough for a dry run.

    Attributes:
      stored: shape and dtype of one example as stored, by the array's name.
      sizes: number of examples of each split, by its name.
      classes: as in :class:`Dataset`.
      preprocess: as in :class:`Dataset`; where the source standardises, still without the mean and
        standard deviation.
      augment: as in :class:`Dataset`.
      vocabulary: as in :class:`Dataset`.
      target_vocabulary: as in :class:`Dataset`.
      preprocessed: as in :class:`Dataset`.
      maximum_length: as in :class:`Dataset`.
      complete: whether ``prepare`` does here what it does in the data, so that a trained model can
        be used without it; False where the data is of a class with a ``prepare`` of its own, None
        where that is not known.

    Example:
      >>> import jax
      >>> from nnjax.data import Spec
      >>> stored = {
      ...     "inputs": jax.ShapeDtypeStruct((28, 28, 1), "uint8"),
      ...     "targets": jax.ShapeDtypeStruct((), "int32"),
      ... }
      >>> spec = Spec(stored, {"train": 60_000}, ("shirt", "shoe"))
      >>> spec.outputs, spec.example(batch_size=32)["inputs"].shape
      (2, (32, 28, 28, 1))
    """

    stored: Mapping[str, Any]
    sizes: Mapping[str, int]
    classes: tuple[str, ...] | None = None
    preprocess: Preprocess | None = field(default_factory=Preprocess)
    augment: Augment = field(default_factory=Augment)
    vocabulary: Vocabulary | None = None
    target_vocabulary: Vocabulary | None = None
    preprocessed: str | None = None
    maximum_length: int | None = None
    complete: bool | None = None

    def size(self, name: str) -> int:
        """Number of examples in a split; 0 where the data has no such split."""
        return self.sizes.get(name, 0)


@dataclass(frozen=True)
class Dataset(Described):
    """Examples in memory.

    Attributes:
      splits: the arrays of each split, by its name ("train", "validation", "test"). They stay as
        they were stored: uint8 pixels take a quarter of the memory and traffic of float32.
      classes: the names of the classes, in the order of the targets; None for a regression.
      preprocess: applied to the inputs on the device, in training and evaluation; None leaves ids
        of words, or several arrays, as they are.
      augment: applied to the inputs on the device before ``preprocess``, in training only.
      vocabulary: the words of the inputs, where these are ids.
      target_vocabulary: the words of the targets, where these are predicted word by word.
      preprocessed: the array that ``augment`` and ``preprocess`` are applied to, where the inputs
        are several arrays, such as "source" for images with captions.
      maximum_length: the number of words, or characters, after which the source has cut texts; None
        where it cuts none.

    Raises:
      UserError: there are no training examples; a split has another name, lacks inputs or targets,
        or holds something else than arrays of numbers; arrays differ in shape; a label is none of
        the classes; or 32 bits cannot tell the numbers of a feature apart.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import Dataset
      >>> train = {"inputs": np.array([[0.5], [1.5], [2.5]]), "targets": np.array([0, 1, 1])}
      >>> data = Dataset({"train": train}, ("cold", "hot"))
      >>> [batch["mask"].tolist() for batch in data.batches("train", 2)]
      [[1.0, 1.0], [1.0, 0.0]]
    """

    splits: Mapping[str, Batch]
    classes: tuple[str, ...] | None = None
    preprocess: Preprocess | None = field(default_factory=Preprocess)
    augment: Augment = field(default_factory=Augment)
    vocabulary: Vocabulary | None = None
    target_vocabulary: Vocabulary | None = None
    preprocessed: str | None = None
    maximum_length: int | None = None

    def __post_init__(self):
        for name, split in self.splits.items():
            if name not in SPLITS:
                hint = nearest(name, SPLITS) or f"; the splits are {', '.join(SPLITS)}"
                raise UserError(f"nothing would use a split '{name}'{hint}")
            check_arrays(split, name)
            if self.classes is not None:
                check_targets(split, len(self.classes), name)
            self._check_digits(split, name)
        if not self.size("train"):
            raise UserError("the data has no examples to train on; give it a split 'train'")
        first = next(iter(self.splits.values()))
        for name, split in self.splits.items():
            if (one := _shapes(split)) != (wanted := _shapes(first)):
                raise UserError(
                    f"split '{name}' has examples of {one}, the first split of {wanted}"
                )
            if (one := _dtypes(split["inputs"])) != (wanted := _dtypes(first["inputs"])):
                raise UserError(
                    f"the inputs of split '{name}' are {', '.join(one)}, those of the first split "
                    f"{', '.join(wanted)}; store them alike, as they are scaled by their type"
                )

    def _check_digits(self, split: Batch, name: str) -> None:
        """Refuses numbers that training, in 32 bits, could not tell apart."""
        inputs = split["inputs"]
        # Preprocessing makes integers floating-point numbers, after the subtraction of a mean.
        becomes_float = self.preprocess is not None and not self.preprocess.mean
        if not isinstance(inputs, Mapping) and (inputs.dtype.kind == "f" or becomes_float):
            check_digits(inputs, f"'inputs' of split '{name}'")
        if self.classes is None and self.target_vocabulary is None:
            check_digits(split["targets"], f"'targets' of split '{name}'")

    def split(self, name: str) -> Batch:
        """The arrays of one split.

        Raises:
          UserError: the data has no such split.
        """
        if name not in self.splits:
            present = ", ".join(self.splits)
            raise UserError(f"the data has no '{name}' split, only {present}")
        return self.splits[name]

    def size(self, name: str) -> int:
        """Number of examples in a split; 0 where the data has no such split."""
        return len(jax.tree.leaves(dict(self.splits[name]))[0]) if name in self.splits else 0

    @property
    def stored(self) -> Mapping[str, Any]:
        """Shape and dtype of one training example as stored, by the array's name."""
        return one_of(self.split("train"))

    def conform(self, spec: "Spec") -> "Dataset":
        """The same examples in the form that a model trained on ``spec`` expects.

        See :func:`conform`.
        """
        labels = label_map(spec.classes, self.classes)
        splits = {}
        for name, split in self.splits.items():
            arrays = dict(split)
            if self.vocabulary is not None:
                arrays = lengthen(arrays, spec.stored)
            if not isinstance(arrays["inputs"], Mapping):
                arrays["inputs"] = rebase(arrays["inputs"], self.preprocess, spec.preprocess)
            splits[name] = {**arrays, "targets": relabel(arrays["targets"], labels)}
        check_inputs(spec.stored, one_of(splits["train"]), spec.preprocess)
        return replace(self, splits=splits, classes=spec.classes, preprocess=spec.preprocess)

    def take(self, arrays: Batch, index: ArrayLike) -> Batch:
        """A batch of some examples of a split: NumPy arrays if the split has them, else JAX arrays.

        Args:
          arrays: of a split.
          index: int32 (batch,) of examples. An index out of range gives the nearest example.
        """
        return jax.tree.map(
            lambda array: library(array, index).take(array, index, axis=0, mode="clip"),
            dict(arrays),
        )

    def batches(self, name: str, batch_size: int) -> Iterator[Batch]:
        """One pass over a split, in order, on the host.

        Args:
          name: of the split.
          batch_size: examples of a batch; the last is padded. All carry a ``mask``.

        Raises:
          UserError: the data has no such split.
        """
        arrays, examples = self.split(name), self.size(name)
        for first in range(0, examples, batch_size):
            index = np.arange(first, min(first + batch_size, examples), dtype=np.int32)
            yield pad(self.take(arrays, index), batch_size)

    def order(self, seed: int, epoch: int, batch_size: int) -> np.ndarray:
        """The order in which an epoch goes through the training examples, int32 (examples,).

        Args:
          seed: of the data order.
          epoch: counted from 0.
          batch_size: examples of an update.
        """
        del batch_size
        return epoch_order(self.size("train"), seed, epoch)


def _shapes(arrays: Batch) -> dict[str, tuple[int, ...]]:
    """The shape of one example."""
    leaves = jax.tree.leaves_with_path(one_of(arrays))
    return {path_name(path): one.shape for path, one in leaves}


def _dtypes(inputs: Any) -> list[str]:
    """The types of arrays, as JAX has them."""
    return [str(jax.dtypes.canonicalize_dtype(leaf.dtype)) for leaf in jax.tree.leaves(inputs)]


def library(*arrays: Any) -> Any:
    """The module to compute with: ``jax.numpy`` if any array is on a device, else ``numpy``."""
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np


def one_of(arrays: Batch) -> dict[str, Any]:
    """Shape and dtype of one example of a batch or split."""
    return jax.tree.map(
        lambda array: jax.ShapeDtypeStruct(array.shape[1:], array.dtype), dict(arrays)
    )


@runtime_checkable
class Source(Protocol):
    """A place that data comes from: a frozen dataclass of options with a method ``load``.

    A source that knows shapes and sizes without reading all of the data also has
    ``spec() -> Described`` (see :func:`specification`).

    Example:
      >>> import dataclasses
      >>> import numpy as np
      >>> from nnjax.data import Dataset, Source
      >>> @dataclasses.dataclass(frozen=True)
      ... class Doubles:
      ...     count: int = 4
      ...     def load(self):
      ...         x = np.arange(self.count, dtype=np.float32)
      ...         return Dataset({"train": {"inputs": x[:, None], "targets": 2 * x}})
      >>> isinstance(Doubles(), Source), Doubles(3).load().size("train")
      (True, 3)
    """

    def load(self) -> "Dataset | Stream":
        """Reads or generates the data."""
        ...


def specification(source: Source) -> Any:
    """Shapes, sizes and classes of what ``source.load()`` gives, as cheaply as the source can.

    Returns:
      A :class:`Spec`, :class:`Dataset` or :class:`Stream`: each has ``size``, ``outputs``,
      ``classes``, ``prepare`` and ``example``.

    Example:
      >>> from nnjax.data import Mnist, specification
      >>> spec = specification(Mnist(validation=5_000))
      >>> spec.size("train"), spec.outputs
      (55000, 10)
    """
    spec = getattr(source, "spec", None)
    return source.load() if spec is None else spec()


def conform(data: Any, spec: Spec) -> Any:
    """Data in the form that a trained model expects, whatever the data looks like by itself.

    A source computes the mean and standard deviation of ``standardise``, the order of the classes
    and the length of padded texts from the data that it reads. A trained model needs those of the
    data that it was trained on: they are in the specification that its run recorded. The returned
    data is preprocessed with the recorded statistics, its labels count the recorded classes, and
    shorter texts are padded to the recorded length.

    Args:
      data: a :class:`Dataset` or stream, as a source loads it.
      spec: of the data that the model was trained on.

    Returns:
      The data; a stream that has no method ``conform`` is returned as it is.

    Raises:
      UserError: the data has classes or words that the model does not know, or examples of another
        shape, or numbers of another kind; the message names what differs.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import Dataset, Preprocess, Spec, conform
      >>> train = {"inputs": np.array([[8.0], [9.0]]), "targets": np.array([0, 1])}
      >>> data = Dataset({"train": train}, ("cat", "dog"))
      >>> spec = Spec(data.stored, {"train": 50}, ("ant", "cat", "dog"), Preprocess(mean=(7.0,)))
      >>> conform(data, spec).split("train")["targets"].tolist()
      [1, 2]
    """
    for name in ("vocabulary", "target_vocabulary"):
        present, trained = getattr(data, name, None), getattr(spec, name)
        if present is not None and trained is not None:
            present.check(trained)
    method = getattr(data, "conform", None)
    return data if method is None else method(spec)


class BatchIterator(Protocol):
    """An iterator over batches whose position can be saved and restored."""

    def __iter__(self) -> Iterator[Batch]: ...

    def __next__(self) -> Batch: ...

    def get_state(self) -> dict[str, Any]:
        """The position, as a dictionary that JSON can hold."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to a position that ``get_state`` gave."""
        ...


@runtime_checkable
class Stream(Protocol):
    """Data that does not fit in memory, or must be decoded: one batch after another.

    ``stored``, ``classes``, the vocabularies, ``outputs``, ``size``, ``prepare`` and ``example``
    are those of :class:`Described`, which a class of your own can inherit.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import RecordStream, Stream
      >>> records = [{"inputs": np.ones(3), "targets": np.ones(1)}]
      >>> isinstance(RecordStream({"train": records}), Stream)
      True
    """

    @property
    def stored(self) -> Mapping[str, Any]: ...

    @property
    def classes(self) -> tuple[str, ...] | None: ...

    @property
    def vocabulary(self) -> Vocabulary | None: ...

    @property
    def target_vocabulary(self) -> Vocabulary | None: ...

    @property
    def outputs(self) -> int: ...

    def size(self, name: str) -> int: ...

    def prepare(self, batch: Batch, key: jax.Array | None = None) -> Batch: ...

    def example(self, batch_size: int = 1) -> Any: ...

    def train_batches(self, batch_size: int, seed: int) -> BatchIterator:
        """Shuffled batches without end, epoch after epoch; the order depends on the seed alone.

        The last batch of an epoch is padded to ``batch_size`` and carries a ``mask``.

        Here and in :meth:`batches` a stream may also take ``rows``, a slice of the rows of each
        batch: then each of several processes reads only its own rows. Rows past the end of a batch
        are padding, with a ``mask`` of 0.
        """
        ...

    def batches(self, name: str, batch_size: int) -> Iterator[Batch]:
        """One pass over a split, in order; the last batch is padded and carries a ``mask``."""
        ...


Known = Dataset | Stream | Spec
"""Data, or the specification of data that is not read."""


def pad(batch: Batch, batch_size: int) -> dict[str, Any]:
    """A batch of NumPy arrays, padded to ``batch_size`` examples with masked copies of its own.

    Returns:
      The batch with a ``mask`` of float32 (batch_size,).
    """
    count = len(jax.tree.leaves(batch["inputs"])[0])
    missing = batch_size - count
    mask = np.asarray(batch.get("mask", np.ones(count, np.float32)), np.float32)
    if missing:
        index = np.arange(batch_size) % count
        batch = jax.tree.map(lambda array: np.asarray(array)[index], dict(batch))
        mask = np.concatenate([mask, np.zeros(missing, np.float32)])
    return {**batch, "mask": mask}
