"""TensorFlow Datasets, read without TensorFlow."""

import contextlib
import io
import logging
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnjax.data.dataset import Dataset, Spec
from nnjax.data.directory import given_path
from nnjax.data.images.decoding import decode
from nnjax.data.labels import check_labels, convert, narrow, numbered
from nnjax.data.records import specify
from nnjax.data.splits import ImageSplits, warn_of_missing_classes
from nnjax.data.stream import RecordStream, load_records
from nnjax.errors import UserError, nearest

EXTRA = "pip install 'nnjax[tfds]'"


@dataclass(frozen=True)
class Tfds(ImageSplits):
    """A set of TensorFlow Datasets, or a set that ``nnjax data import`` wrote: ``tfds:NAME``.

    Reading needs no TensorFlow. A set that is missing is downloaded and prepared; TFDS needs
    TensorFlow to prepare some sets.

    Attributes:
      name: the name, such as mnist, or NAME/CONFIG:VERSION.
      data_dir: where TFDS sets are kept; None is $TFDS_DATA_DIR, else ~/tensorflow_datasets.
      inputs: the feature to learn from; None takes the feature that the set names.
      targets: the feature to predict; None takes the feature that the set names.
      classes: number of classes, where the set does not say it.
      size: height and width that all images are scaled to, in proportion, and then cropped to about
        the center. None takes images as they are, and they must be of one size.
      channels: 1 for grey, 3 for red, green and blue; None takes the channels of the set.
      stream: read and decode examples while training instead of all of them before it.
      seed: as in every source; by default 0, for an imported set may lie there class by class. The
        sample of a split is drawn without regard to the classes, whose labels are not read before.
        Where all training examples are used, they keep their order.

    Example:
      >>> from nnjax.data import Tfds
      >>> source = Tfds("fashion_mnist", train=5_000, stream=True)
      >>> data = source.load()  # doctest: +SKIP
    """

    name: str = "mnist"
    data_dir: Path | None = None
    inputs: str | None = None
    targets: str | None = None
    classes: int | None = None
    size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    stream: bool = False
    seed: int | None = field(default=0, kw_only=True)

    keeps_whole_order = True

    def load(self) -> Dataset | RecordStream:
        """Inputs (n, ...), images as uint8; targets (n,) int32, or float32 for a regression.

        Raises:
          UserError: the set is not there and cannot be prepared, or has no such features, or a
            label is none of the classes.
        """
        records, classes = self._open()
        # Examples are selected by their index and the number of the stored split that they are in.
        places = {
            split: {"inputs": np.arange(len(stored)), "split": np.full(len(stored), index)}
            for index, (split, stored) in enumerate(records.items())
        }
        origins = list(records.values())
        chosen = {
            split: Selected(origins[place["split"][0]], place["inputs"])
            for split, place in self.select(places).items()
        }
        data = load_records(self, chosen, classes, self.stream)
        if isinstance(data, Dataset):
            warn_of_missing_classes(data.splits, classes)
        return data

    def spec(self) -> Spec:
        """The specification of what :meth:`load` returns, from the first example alone."""
        records, classes = self._open()
        sizes = {split: len(stored) for split, stored in records.items()}
        return self.describe(specify(records["train"][0]), sizes, classes)

    def _open(self) -> tuple[dict[str, "TfdsRecords"], tuple[str, ...] | None]:
        """The records of each stored split, and the names of the classes."""
        builder = open_set(self.name, self.data_dir)
        features = builder.info.features
        inputs, targets = self._features(builder)
        classes = self._class_names(features[targets], targets)
        read, decoders = self._reader(features[inputs], inputs)
        count = None if classes is None else len(classes)
        records = {
            split: TfdsRecords(
                source, inputs, targets, read, count, f"'{split}' of tfds:{self.name}"
            )
            for split, source in stored_splits(builder, self.name, decoders).items()
        }
        return records, classes

    def _features(self, builder: Any) -> tuple[str, str]:
        """The names of the features to learn from and to predict."""
        supervised = builder.info.supervised_keys or (None, None)
        present = sorted(builder.info.features)
        chosen = []
        for option, default in zip(("inputs", "targets"), supervised, strict=True):
            name = getattr(self, option) or default
            if name not in present:
                hint = (
                    f"'{name}'{nearest(str(name), present)}" if name else "named as its " + option
                )
                raise UserError(
                    f"tfds:{self.name} has no feature {hint}; choose one of {', '.join(present)} "
                    f"with --data.{option}"
                )
            chosen.append(name)
        return chosen[0], chosen[1]

    def _class_names(self, feature: Any, name: str) -> tuple[str, ...] | None:
        """The names of the classes; None for a regression."""
        count = getattr(feature, "num_classes", None) or self.classes
        if count is not None:
            return tuple(getattr(feature, "names", None) or numbered(count))
        if np.issubdtype(feature.np_dtype, np.floating):
            return None
        raise UserError(
            f"the targets '{name}' of tfds:{self.name} are {feature.np_dtype} without a number of "
            "classes; give it with --data.classes"
        )

    def _reader(self, feature: Any, name: str) -> tuple[Callable[[Any], np.ndarray], Any]:
        """A function from a stored input to an array, and the decoders that TFDS is to use."""
        tfds = import_tfds()
        where = f"'{name}' of tfds:{self.name}"
        is_image = isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8
        if isinstance(feature, tfds.features.Text):
            raise UserError(
                f"{where} is text: give the set to an experiment on texts, as sentiment, by "
                f"--data.path tfds:{self.name}"
            )
        if not is_image:
            if self.size is not None or self.channels is not None:
                raise UserError(f"size and channels are for images, which {where} is not")
            return lambda value: narrow(np.asarray(value), where), None
        channels = self.channels or (1 if feature.shape[-1] == 1 else 3)
        return (
            lambda value: decode(io.BytesIO(value), self.size, channels, f"an image of {where}"),
            {name: tfds.decode.SkipDecoding()},
        )


@dataclass(frozen=True)
class TfdsRecords:
    """A stored split as records.

    Attributes:
      source: gives examples by their place.
      inputs: the feature to learn from.
      targets: the feature to predict.
      read: turns a stored input into an array.
      classes: number of classes; None for a regression.
      where: describes the split in errors.
    """

    source: Sequence[Mapping[str, Any]]
    inputs: str
    targets: str
    read: Callable[[Any], np.ndarray]
    classes: int | None
    where: str

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        example = self.source[index]
        targets = self._read_targets(np.asarray(example[self.targets]), index)
        return {"inputs": self.read(example[self.inputs]), "targets": targets}

    def _read_targets(self, stored: np.ndarray, index: int) -> np.ndarray:
        if self.classes is None:
            return convert(stored, np.float32, f"the target of example {index} in {self.where}")
        if stored.ndim:
            # The tags of a sequence, where -1 is padding.
            return stored.astype(np.int32)
        try:
            return check_labels(stored[None], self.classes, self.where, index)[0]
        except UserError as error:
            advice = "leave out a split whose labels are hidden, as with --data.test 0"
            raise UserError(f"{error}; {advice}") from None


@dataclass(frozen=True)
class Selected:
    """Some of the records.

    Attributes:
      records: all of them.
      places: (n,) indices of the selected records.
    """

    records: TfdsRecords
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return self.records[int(self.places[index])]


def import_tfds() -> Any:
    """The module ``tensorflow_datasets``, which is an optional dependency.

    Raises:
      UserError: it is not installed.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise UserError(f"TFDS sets need the extra 'tfds': {EXTRA} ({error})") from None
    return tensorflow_datasets


def open_set(name: str, data_dir: Path | None) -> Any:
    """The TFDS builder of a set, which is prepared where it is not yet.

    Raises:
      UserError: there is no such set, or it cannot be prepared.
    """
    tfds = import_tfds()
    folder = None if data_dir is None else str(given_path(data_dir))
    try:
        with quiet():
            builder = tfds.builder(name, data_dir=folder, file_format="array_record")
    except Exception as error:
        known = tfds.list_builders(with_community_datasets=False)
        hint = "" if name in known else nearest(name, known)
        where = folder or "the folder of TFDS sets"
        raise UserError(
            f"there is no TFDS set '{name}', nor one of your own in {where}{hint} "
            f"({_first_line(error).rstrip('.')})"
        ) from None
    if not builder.is_prepared():
        _prepare(builder, name)
    return builder


def stored_splits(
    builder: Any, name: str, decoders: Any = None
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The examples of the train, validation and test split of a prepared set.

    Raises:
      UserError: they are not in the format array_record, or there are none to train on.
    """
    try:
        sources = builder.as_data_source(decoders=decoders)
    except (OSError, ValueError, NotImplementedError) as error:
        raise UserError(
            f"tfds:{name} cannot be read from {builder.data_dir}: {_first_line(error)}; "
            "it must be prepared in the format array_record"
        ) from None
    names = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
    found = {names[split]: source for split, source in sources.items() if split in names}
    if "train" not in found:
        raise UserError(f"tfds:{name} has no train split, only {', '.join(sources)}")
    return found


def _prepare(builder: Any, name: str) -> None:
    missing = f"tfds:{name} is not prepared in {builder.data_dir}"
    host = _unreachable_host(builder.url_infos or {})
    if host:
        raise UserError(
            f"{missing} and {host} cannot be reached: go online once, or prepare it elsewhere and "
            f"copy its folder, or import files of your own with nnjax data import"
        )
    try:
        with quiet():
            builder.download_and_prepare()
    except Exception as error:
        advice = "go online once, or prepare it elsewhere and copy its folder"
        if isinstance(error, ImportError) or "tensorflow" in str(error)[:200].lower():
            advice = f"preparing it needs TensorFlow: {EXTRA} tensorflow"
        said = _first_line(error).rstrip(".")
        raise UserError(f"{missing} and cannot be prepared ({said}); {advice}") from None


def _unreachable_host(urls: Mapping[str, Any]) -> str | None:
    """The host of the first address if its name is not resolved; TFDS would retry for minutes."""
    host = next((urllib.parse.urlsplit(url).hostname for url in sorted(urls)), None)
    if host is None or urllib.request.getproxies():
        return None
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return host
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences the output of TFDS; its progress bar shows only on a terminal."""
    tfds = import_tfds()
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
