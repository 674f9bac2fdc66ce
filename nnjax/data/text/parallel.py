"""Parallel text: sentences and their translations, line by line in two files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnjax.data.dataset import Batch, Dataset
from nnjax.data.text.buckets import Bucketed
from nnjax.data.text.files import is_folder, read_lines
from nnjax.data.text.padding import longest, objects
from nnjax.data.text.pairs import encoder_decoder_arrays
from nnjax.data.text.sequences import Sequences
from nnjax.data.text.tfds_texts import TfdsTexts, is_tfds
from nnjax.data.vocabulary import END, START, UNKNOWN
from nnjax.errors import UserError
from nnjax.traced import check_number

PREFIXES = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
"""Beginnings of the names of the files of a split."""

TABLE_ENDINGS = (".csv", ".tsv", ".tab")
"""Endings of tables, which hold both languages in one file."""

COLUMN_NAMES = ({"source", "src"}, {"target", "tgt", "trg"})
"""Usual first lines of files that were columns of a table, beside the names of the languages."""


@dataclass(frozen=True)
class ParallelText(Sequences):
    """Sentences and their translations: line n of one file translates line n of the other.

    First lines that name the columns, such as ``de`` and ``en``, are skipped.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import ParallelText
      >>> for language, text in {"de": "Ein Hund.", "en": "A dog."}.items():
      ...     _ = Path(f"corpus.{language}").write_text(text)
      >>> data = ParallelText(Path("corpus"), test=0, minimum_count=1).load()
      >>> data.target_vocabulary.decode(data.split("train")["targets"][0])
      ['A', 'dog', '.', '<end>']

    Attributes:
      path: a folder with ``train.de``, ``train.en`` and perhaps ``val.de``, ``val.en`` and
        ``test.de``, ``test.en``; or the beginning of the names of two files, ``corpus`` for
        ``corpus.de`` and ``corpus.en``; or ``tfds:NAME``, a set of TensorFlow Datasets in
        $TFDS_DATA_DIR or ~/tensorflow_datasets with a feature for each language.
      source: the language to translate from: the ending of its files, or its feature.
      target: the language to translate into.
      test_file: the name of the test files without the ending, where the folder has several.
      maximum_length: training pairs with a longer sentence are left out; other splits are kept
        whole, so that they are scored whole. None keeps all.
      minimum_count: words that are seen less often in the training sentences become ``<unknown>``.
    """

    path: Path = Path("parallel")
    source: str = "de"
    target: str = "en"
    test_file: str | None = None
    maximum_length: int | None = None
    minimum_count: int = field(default=2, kw_only=True)

    def load(self) -> Dataset | Bucketed:
        """Inputs ``source`` (n, s) and ``target`` (n, t), targets (n, t): ids padded with -1.

        See :func:`nnjax.data.text.pairs.encoder_decoder_arrays`.

        Raises:
          UserError: a file is missing, is not text, or is shorter than its translation.
        """
        check_number("maximum length", self.maximum_length, at_least=1)
        splits = {name: self._words(split) for name, split in self.sentences().items()}
        splits["train"] = self._short(splits["train"])
        sources, targets = splits["train"]["source"], splits["train"]["target"]
        vocabulary = self.vocabulary(sources)
        target_vocabulary = self.vocabulary(targets, special=(UNKNOWN, START, END))
        widths = (
            max(longest(split["source"]) for split in splits.values()),
            max(longest(split["target"]) for split in splits.values()),
        )
        arrays = {
            name: encoder_decoder_arrays(
                split["source"], split["target"], vocabulary, target_vocabulary, widths
            )
            for name, split in splits.items()
        }
        data = Dataset(
            arrays,
            preprocess=None,
            vocabulary=vocabulary,
            target_vocabulary=target_vocabulary,
        )
        return self.finished(data)

    def sentences(self) -> dict[str, Batch]:
        """The sentences of each split as they are written, which translations are compared with.

        Returns:
          For each split ``source`` and ``target``, (n,) objects, in the order of its examples. The
          training pairs that :meth:`load` leaves out, because they are too long, are among them.
        """
        if is_tfds(self.path):
            return self.select(self._read_tfds())
        paths = self._find_files(Path(self.path))
        return self.select({name: self._read(stem) for name, stem in paths.items()})

    def _read_tfds(self) -> dict[str, Batch]:
        sides = {"source": self.source, "target": self.target}
        splits = TfdsTexts(self.path).columns(*sides.values())
        return {
            name: {
                side: objects([text.strip() for text in columns[language]])
                for side, language in sides.items()
            }
            for name, columns in splits.items()
        }

    def _words(self, split: Batch) -> dict[str, list[Sequence[str]]]:
        cut = self.tokeniser.split
        return {side: [cut(text) for text in split[side]] for side in ("source", "target")}

    def _short(self, split: dict[str, list[Sequence[str]]]) -> dict[str, list[Sequence[str]]]:
        """The pairs that are not too long.

        Raises:
          UserError: there are none.
        """
        if self.maximum_length is None:
            return split
        pairs = zip(split["source"], split["target"], strict=True)
        kept = [pair for pair in pairs if max(map(len, pair)) <= self.maximum_length]
        if not kept:
            raise UserError(
                f"every training pair is longer than maximum_length={self.maximum_length}; raise it"
            )
        return {"source": [pair[0] for pair in kept], "target": [pair[1] for pair in kept]}

    def _read(self, stem: Path) -> Batch:
        """The sentences of two files.

        Raises:
          UserError: the files differ in length, or a line is empty.
        """
        if stem.suffix.lower() in TABLE_ENDINGS and stem.is_file():
            files = [_file(stem.with_suffix(""), one) for one in (self.source, self.target)]
            raise UserError(
                f"{stem} is a table; write its columns into the files {files[0]} and {files[1]}, "
                f"one sentence a line, and give --data.path {stem.with_suffix('')}"
            )
        paths = {"source": _file(stem, self.source), "target": _file(stem, self.target)}
        lines = {side: read_lines(path, self.encoding) for side, path in paths.items()}
        if _is_header(lines["source"], lines["target"], (self.source, self.target)):
            lines = {side: found[1:] for side, found in lines.items()}
        source, target = len(lines["source"]), len(lines["target"])
        if source != target:
            raise UserError(
                f"{paths['source']} has {source} lines and {paths['target']} {target}; each line "
                "must be the translation of the other's"
            )
        for side, path in paths.items():
            if not lines[side]:
                raise UserError(f"{path} holds no sentences")
            if "" in lines[side]:
                raise UserError(f"line {lines[side].index('') + 1} of {path} is empty")
        return {side: objects(sentences) for side, sentences in lines.items()}

    def _find_files(self, path: Path) -> dict[str, Path]:
        """The files of each split, without the ending."""
        if not is_folder(path):
            return {"train": path}
        found = {split: self._stems(path, names) for split, names in PREFIXES.items()}
        if self.test_file is not None:
            found["test"] = [path / self.test_file]
        if not found["train"]:
            raise UserError(f"the folder {path} has no file train.{self.source}")
        for split, stems in found.items():
            if len(stems) > 1:
                names = ", ".join(stem.name for stem in stems)
                choose = "choose with --data.test-file" if split == "test" else "leave one there"
                raise UserError(f"the folder {path} has several {split} files, {names}; {choose}")
        return {split: stems[0] for split, stems in found.items() if stems}

    def _stems(self, folder: Path, beginnings: tuple[str, ...]) -> list[Path]:
        ending = f".{self.source}"
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(ending))
        return [folder / name.removesuffix(ending) for name in names if name.startswith(beginnings)]


def _is_header(source: Sequence[str], target: Sequence[str], languages: tuple[str, str]) -> bool:
    """Whether the first lines of two files name the columns of a table."""
    if len(source) < 2 or len(target) < 2:
        return False
    firsts = (source[0].lower(), target[0].lower())
    usual = zip(firsts, languages, COLUMN_NAMES, strict=True)
    return all(first in {language.lower(), *names} for first, language, names in usual)


def _file(stem: Path, language: str) -> Path:
    return stem.with_name(f"{stem.name}.{language}")
