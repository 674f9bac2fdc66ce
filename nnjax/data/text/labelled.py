"""Texts with labels: topics, sentiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnjax.data.dataset import SPLITS, Batch, Dataset
from nnjax.data.directory import visible_folders
from nnjax.data.labels import check_distinct
from nnjax.data.splits import warn_of_missing_classes
from nnjax.data.text.buckets import Bucketed
from nnjax.data.text.files import is_folder, read_lines
from nnjax.data.text.folder import read_class_files, read_class_folders
from nnjax.data.text.padding import encode_padded, longest, objects
from nnjax.data.text.sequences import Sequences
from nnjax.data.text.table import TAB_ENDINGS, LabelledTexts, read_table
from nnjax.data.text.tfds_texts import TfdsTexts, is_tfds
from nnjax.errors import UserError, nearest
from nnjax.traced import check_number


@dataclass(frozen=True)
class LabelledText(Sequences):
    """Texts, each with the class that it belongs to.

    They are in a table (a CSV or TSV file), or in a folder with one of:

    * ``train.csv`` and perhaps ``validation.csv``, ``test.csv``, or the same as ``.tsv``. Where
      ``classes.txt`` lies there, it names the classes, one a line, and labels are these names or
      their numbers counted from 1;
    * a folder for each class with a ``.txt`` file for each text, or such folders in ``train``,
      ``validation`` and ``test``;
    * a file for each class with one text a line, all named alike but for the ending, which is the
      class: ``reviews.neg`` and ``reviews.pos``.

    Or they are a set of TensorFlow Datasets, ``tfds:NAME``, in $TFDS_DATA_DIR or
    ~/tensorflow_datasets.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import LabelledText
      >>> lines = "text,label", "a fine film,good", "no plot,bad", "so dull,bad"
      >>> _ = Path("reviews.csv").write_text(chr(10).join(lines))
      >>> data = LabelledText(Path("reviews.csv"), test=0).load()
      >>> data.classes, data.size("train")
      (('bad', 'good'), 3)

    Attributes:
      path: the table, folder or set.
      label: the column of the labels in a table: its name in the first line, or its number counted
        from 1. With "1" a first line that holds usual names, such as ``label`` and ``text``, is
        found and says which column it is. Of a TFDS set it is the feature, and "1" is the one that
        the set names.
      text: the columns of text, likewise, joined by spaces. None given are those with usual names,
        else all others; of a TFDS set, the feature that the set names.
      delimiter: what is between two columns; in files ``.tsv`` a tab, unless another is given.
      maximum_length: longer texts are cut after so many words, or characters; None cuts none.
    """

    path: Path = Path("texts")
    label: str = "1"
    text: tuple[str, ...] = ()
    delimiter: str = ","
    maximum_length: int | None = None

    def load(self) -> Dataset | Bucketed:
        """Inputs (n, longest) ids padded with -1, targets (n,) int32.

        Raises:
          UserError: a file is missing or damaged, a label has no text or is no class of the
            training texts, or nearly every text has a label of its own.
        """
        check_number("maximum length", self.maximum_length, at_least=1)
        found, names = self._read(Path(self.path))
        classes, places = _numbering(found["train"].labels, names)
        splits = self.select(
            {
                name: {
                    "inputs": objects(texts.texts),
                    "targets": _targets(texts.labels, places, name),
                }
                for name, texts in found.items()
            }
        )
        warn_of_missing_classes(splits, classes)
        return self._encoded(splits, classes)

    def _read(self, path: Path) -> tuple[dict[str, LabelledTexts], tuple[str, ...] | None]:
        """The texts of each split, and the names of the classes where they are listed."""
        if is_tfds(path):
            return self._tfds(TfdsTexts(path))
        if not is_folder(path):
            return {"train": self._table(path)}, None
        tables = {split: self._find_table(path, split) for split in SPLITS}
        if tables["train"] is not None:
            train = self._table(tables["train"])
            others = {name: one for name, one in tables.items() if one and name != "train"}
            found = {"train": train} | {
                name: self._table(one, train.header or ()) for name, one in others.items()
            }
            names = path / "classes.txt"
            if not names.exists():
                return found, None
            listed = tuple(read_lines(names, self.encoding))
            check_distinct(listed, names)
            return found, listed
        if (path / "train").is_dir():
            places = {split: path / split for split in SPLITS if (path / split).is_dir()}
            return {name: self._folder(place) for name, place in places.items()}, None
        return {"train": self._folder(path)}, None

    def _tfds(self, stored: TfdsTexts) -> tuple[dict[str, LabelledTexts], tuple[str, ...]]:
        text, label = self.text, self.label
        if not text or label == "1":
            inputs, targets = stored.supervised()
            text, label = text or (inputs,), targets if label == "1" else label
        classes = stored.classes(label)
        found = {}
        for split, columns in stored.columns(label, *text).items():
            joined = map(" ".join, zip(*(columns[name] for name in text), strict=True))
            found[split] = LabelledTexts(list(joined), columns[label])
        return found, classes

    def _find_table(self, folder: Path, split: str) -> Path | None:
        """The table of a split, if there is one."""
        paths = [folder / f"{split}{ending}" for ending in (".csv", *TAB_ENDINGS)]
        return next((path for path in paths if path.exists()), None)

    def _table(self, path: Path, header: Sequence[str] | None = None) -> LabelledTexts:
        return read_table(path, self.label, self.text, self.delimiter, self.encoding, header)

    def _folder(self, folder: Path) -> LabelledTexts:
        read = read_class_folders if visible_folders(folder) else read_class_files
        return read(folder, self.encoding)

    def _encoded(self, splits: Mapping[str, Batch], classes: tuple[str, ...]) -> Dataset | Bucketed:
        split = self.tokeniser.split
        cut = {
            name: [split(text)[: self.maximum_length] for text in arrays["inputs"]]
            for name, arrays in splits.items()
        }
        vocabulary = self.vocabulary(cut["train"])
        width = max(map(longest, cut.values()))
        arrays = {
            name: {
                "inputs": encode_padded(vocabulary, texts, width),
                "targets": splits[name]["targets"],
            }
            for name, texts in cut.items()
        }
        data = Dataset(
            arrays, classes, None, vocabulary=vocabulary, maximum_length=self.maximum_length
        )
        return self.finished(data)


def _numbering(
    labels: Sequence[str], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """The classes, and the place of the class of each label.

    Args:
      labels: of the training texts.
      names: of the classes, where a file lists them: labels are names, or numbers counted from 1.
    """
    if names is None:
        distinct = set(labels)
        numbers = all(label.isdecimal() for label in distinct)
        names = tuple(sorted(distinct, key=_number) if numbers else sorted(distinct))
    elif not set(names).intersection(labels):
        return names, {str(place + 1): place for place in range(len(names))}
    return names, {name: place for place, name in enumerate(names)}


def _number(label: str) -> tuple[int, str]:
    return int(label), label


def _targets(labels: Sequence[str], places: Mapping[str, int], split: str) -> np.ndarray:
    for label in labels:
        if label not in places:
            raise UserError(
                f"the label '{label}' in the {split} texts is none of the {len(places)} classes"
                f"{nearest(label, places)}"
            )
    return np.array([places[label] for label in labels], np.int32)
