"""Streams: batches that ``grain`` reads and decodes in threads while the model trains."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from nnjax.data.augmentation import Augment
from nnjax.data.conforming import check_inputs, label_map, relabel
from nnjax.data.dataset import Batch, BatchIterator, Dataset, Described, Spec
from nnjax.data.order import epoch_order
from nnjax.data.preprocessing import Preprocess
from nnjax.data.records import Record, Records, collect, specify, stack
from nnjax.data.splits import ImageSplits
from nnjax.errors import UserError

THREADS = 4
"""Pillow releases Python's global lock while it decodes, so that threads run in parallel."""


@dataclass(frozen=True)
class RecordStream(Described):
    """A stream of batches of records that can be read in any order.

    The batches of an epoch are equal to those of the same examples in memory: their order is a
    function of (seed, epoch), and a position in it is one number.

    Attributes:
      splits: the records of each split, by its name ("train", "validation", "test").
      classes: the names of the classes, in the order of the targets; None for a regression.
      preprocess: applied to the inputs on the device, in training and evaluation.
      augment: applied to the inputs on the device before ``preprocess``, in training only.
      threads: number of batches that are read at once, and at most wait to be used.

    Example:
      >>> import numpy as np
      >>> from nnjax.data import RecordStream
      >>> class Squares:
      ...     def __len__(self):
      ...         return 3
      ...     def __getitem__(self, index):
      ...         return {"inputs": np.float32([index]), "targets": np.float32(index**2)}
      >>> stream = RecordStream({"train": Squares()})
      >>> [batch["targets"].tolist() for batch in stream.batches("train", 2)]
      [[0.0, 1.0], [4.0, 4.0]]
    """

    splits: Mapping[str, Records]
    classes: tuple[str, ...] | None = None
    preprocess: Preprocess = field(default_factory=Preprocess)
    augment: Augment = field(default_factory=Augment)
    threads: int = THREADS

    @functools.cached_property
    def stored(self) -> Mapping[str, jax.ShapeDtypeStruct]:
        """Shape and dtype of one training example as stored, by the array's name.

        Raises:
          UserError: the first record lacks inputs or targets.
        """
        record = self._split("train")[0]
        if not {"inputs", "targets"} <= set(record):
            raise UserError(
                "a record of a stream must hold the arrays inputs and targets; the first holds "
                f"{', '.join(record) or 'nothing'}"
            )
        return specify(record)

    def size(self, name: str) -> int:
        """Number of examples in a split; 0 where the data has no such split."""
        return len(self.splits[name]) if name in self.splits else 0

    def conform(self, spec: Spec) -> "RecordStream":
        """The same examples in the form that a model trained on ``spec`` expects.

        See :func:`nnjax.data.conform`.
        """
        check_inputs(spec.stored, self.stored, spec.preprocess)
        labels = label_map(spec.classes, self.classes)
        splits = self.splits
        if labels is not None:
            splits = {name: Relabelled(records, labels) for name, records in splits.items()}
        preprocess = spec.preprocess or self.preprocess
        return replace(self, splits=splits, classes=spec.classes, preprocess=preprocess)

    def train_batches(self, batch_size: int, seed: int, rows: slice | None = None) -> BatchIterator:
        """Shuffled batches without end, epoch after epoch; the order depends on the seed alone.

        Every batch carries a ``mask``; the last one of an epoch is padded to ``batch_size``.

        Args:
          batch_size: examples an update.
          seed: of the data order.
          rows: the rows of each batch to read; rows past its end are padding. None reads all.
        """
        records = self._split("train")
        steps = -(-len(records) // batch_size)
        order = functools.lru_cache(maxsize=2)(functools.partial(epoch_order, len(records), seed))

        def indices(step: int) -> np.ndarray:
            epoch, row = divmod(step, steps)
            return order(epoch)[row * batch_size : (row + 1) * batch_size]

        return self._read(records, indices, sys.maxsize, rows or slice(0, batch_size))

    def batches(self, name: str, batch_size: int, rows: slice | None = None) -> Iterator[Batch]:
        """One pass over a split, in order; every batch carries a ``mask``, the last is padded.

        Args:
          name: of the split.
          batch_size: examples of a batch.
          rows: as in :meth:`train_batches`.

        Raises:
          UserError: the data has no such split.
        """
        records = self._split(name)
        indices = np.arange(len(records))
        return self._read(
            records,
            lambda step: indices[step * batch_size : (step + 1) * batch_size],
            -(-len(records) // batch_size),
            rows or slice(0, batch_size),
        )

    def _read(
        self,
        records: Records,
        indices: Callable[[int], np.ndarray],
        steps: int,
        rows: slice,
    ) -> Any:
        """An iterator over some rows of the batches of ``steps`` steps, each of ``indices``."""
        # Imported here, because grain takes most of a second to import.
        import grain

        places = np.arange(rows.start, rows.stop)

        def read(step: int) -> Batch:
            whole = indices(step)
            # Padding repeats the examples of the whole batch, so that it is the same for every
            # choice of rows.
            index = whole[places % len(whole)]
            if places[-1] < len(whole):
                batch = stack(records, index, self.stored)
            else:
                distinct, place = np.unique(index, return_inverse=True)
                batch = stack(records, distinct, self.stored)
                batch = {name: array[place] for name, array in batch.items()}
            present = (places < len(whole)).astype(np.float32)
            return {**batch, "mask": present * batch.get("mask", np.float32(1))}

        options = grain.ReadOptions(num_threads=self.threads, prefetch_buffer_size=self.threads)
        return iter(grain.MapDataset.range(steps).map(read).to_iter_dataset(options))

    def _split(self, name: str) -> Records:
        if name not in self.splits:
            raise UserError(f"the data has no '{name}' split, only {', '.join(self.splits)}")
        return self.splits[name]


@dataclass(frozen=True)
class Relabelled:
    """Records with other labels.

    Attributes:
      records: as stored.
      labels: int32 (classes,), the new label for each label as stored.
    """

    records: Records
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        return {**record, "targets": relabel(record["targets"], self.labels)}


def load_records(
    options: ImageSplits,
    splits: Mapping[str, Records],
    classes: tuple[str, ...] | None,
    stream: bool,
) -> Dataset | RecordStream:
    """The data of selected records, in memory or as a stream.

    Raises:
      UserError: a stream cannot do what an option asks for.
    """
    if not stream:
        return options.arrange({name: collect(split) for name, split in splits.items()}, classes)
    if options.standardise:
        raise UserError(
            "standardise=True reads all images first, which a stream does not; give the numbers as "
            "--data.preprocess.mean and --data.preprocess.std"
        )
    if options.expand_shifts:
        raise UserError(
            "expand_shifts=True is for data in memory; a stream has --data.augment.shift"
        )
    return RecordStream(splits, classes, options.preprocess, options.augment)
