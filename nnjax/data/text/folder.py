"""Texts in folders or files that are named like their classes."""

from collections import defaultdict
from pathlib import Path

from nnjax.data.directory import is_hidden, visible_files, visible_folders
from nnjax.data.text.files import read_lines, read_text
from nnjax.data.text.table import LabelledTexts
from nnjax.errors import UserError


def read_class_folders(folder: Path, encoding: str = "utf-8") -> LabelledTexts:
    """The texts of a folder for each class with a file for each text, as ``positive/1.txt``.

    Raises:
      UserError: a class has no files, or a file no text.
    """
    texts, labels = [], []
    for place in visible_folders(folder):
        files = [path for path in visible_files(place) if path.suffix == ".txt"]
        if not files:
            raise UserError(f"{place} holds no texts, files with the ending .txt")
        for path in files:
            texts.append(read_text(path, encoding).strip())
            labels.append(place.name)
            if not texts[-1]:
                raise UserError(f"{path} is in a class but holds no text")
    return LabelledTexts(texts, labels)


def read_class_files(folder: Path, encoding: str = "utf-8") -> LabelledTexts:
    """The texts of a file for each class with one text a line: ``reviews.neg``, ``reviews.pos``.

    The names of the files differ in the ending only, which is the name of the class.

    Raises:
      UserError: there are no such files, or a line of one is empty.
    """
    named: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix and not is_hidden(path.name):
            named[path.stem].append(path)
    groups = [paths for paths in named.values() if len(paths) > 1]
    if len(groups) != 1:
        raise UserError(
            f"{folder} must hold train.csv, a folder for each class, or files for each class that "
            "differ in their ending, as reviews.neg and reviews.pos"
        )
    texts, labels = [], []
    for path in groups[0]:
        lines = read_lines(path, encoding)
        if not lines or "" in lines:
            where = f"line {lines.index('') + 1} of {path}" if lines else f"{path}"
            raise UserError(f"{where} is in class '{path.suffix[1:]}' but holds no text")
        texts += lines
        labels += [path.suffix[1:]] * len(lines)
    return LabelledTexts(texts, labels)
