"""Texts in sets of TensorFlow Datasets, which paths such as ``tfds:NAME`` name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.data.dataset import SPLITS
from nnjax.data.tfds import import_tfds, open_set, stored_splits
from nnjax.errors import UserError, nearest

PREFIX = "tfds:"


class TfdsTexts:
    """A set of TensorFlow Datasets that holds texts."""

    def __init__(self, path: Path):
        """Opens the set in $TFDS_DATA_DIR, else ~/tensorflow_datasets.

        Args:
          path: ``tfds:NAME``, where the name may be NAME/CONFIG:VERSION.

        Raises:
          UserError: the set is not there and cannot be prepared.
        """
        self.name = str(path).removeprefix(PREFIX)
        self._builder = open_set(self.name, None)
        self._features: Mapping[str, Any] = self._builder.info.features

    def columns(self, *names: str) -> dict[str, dict[str, list[str]]]:
        """Features of every split as texts; a class label becomes the name of its class.

        Raises:
          UserError: the set has no such feature, or it is neither text nor a label.
        """
        write = {name: self._writer(name) for name in names}
        found = {}
        for split, examples in stored_splits(self._builder, self.name).items():
            texts: dict[str, list[str]] = {name: [] for name in names}
            for example in examples:
                for name in names:
                    texts[name].append(write[name](example[name]))
            found[split] = texts
        return {split: found[split] for split in SPLITS if split in found}

    def classes(self, label: str) -> tuple[str, ...]:
        """The names of the classes that a feature numbers."""
        return tuple(self._feature(label).names)

    def supervised(self) -> tuple[str, str]:
        """The feature to learn from and the feature to predict, as the set names them.

        Raises:
          UserError: the set names none.
        """
        keys = self._builder.info.supervised_keys
        if not keys or len(keys) != 2:
            raise UserError(
                f"tfds:{self.name} does not say what to predict from what; choose two of "
                f"{', '.join(sorted(self._features))} with --data.text and --data.label"
            )
        return keys

    def one_text(self) -> str:
        """The only feature that is text, of all examples of all splits, joined by newlines.

        Raises:
          UserError: no feature is text, or several are, or all of it is blank.
        """
        names = [name for name in sorted(self._features) if self._is_text(name)]
        if len(names) != 1:
            raise UserError(
                f"tfds:{self.name} has {len(names)} features of text, and one is wanted; it has "
                f"{', '.join(sorted(self._features))}"
            )
        splits = self.columns(names[0]).values()
        text = "\n".join(one for split in splits for one in split[names[0]])
        if not text.strip():
            raise UserError(f"tfds:{self.name} holds no text")
        return text

    def _feature(self, name: str) -> Any:
        present = sorted(self._features)
        if name not in present:
            raise UserError(
                f"tfds:{self.name} has no feature '{name}'{nearest(name, present)}; it has "
                f"{', '.join(present)}"
            )
        return self._features[name]

    def _is_text(self, name: str) -> bool:
        kind = import_tfds().features.Text
        return isinstance(self._feature(name), kind)

    def _writer(self, name: str) -> Any:
        """The function that turns a stored value of a feature into text."""
        names: Sequence[str] | None = getattr(self._feature(name), "names", None)
        if names is not None:
            return lambda value: self._class(name, names, int(value))
        if not self._is_text(name):
            raise UserError(f"'{name}' of tfds:{self.name} is neither text nor a label")
        return lambda value: value.decode() if isinstance(value, bytes) else str(value)

    def _class(self, feature: str, names: Sequence[str], number: int) -> str:
        if not 0 <= number < len(names):
            raise UserError(
                f"an example of tfds:{self.name} has the '{feature}' {number}, which is none of "
                f"the {len(names)} classes: its labels are hidden"
            )
        return names[number]


def is_tfds(path: Path) -> bool:
    """Whether a path names a set of TensorFlow Datasets."""
    return str(path).startswith(PREFIX)
