"""Texts with a tag for every word."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from nnjax.data.dataset import SPLITS, Batch, Dataset
from nnjax.data.text.buckets import Bucketed
from nnjax.data.text.files import is_folder, read_text
from nnjax.data.text.padding import encode_padded, longest, objects
from nnjax.data.text.sequences import Sequences
from nnjax.data.vocabulary import Vocabulary
from nnjax.data.words import Tokeniser
from nnjax.errors import UserError
from nnjax.traced import check_number

Sentence = tuple[list[str], list[str]]
"""The words of a sentence, and their tags."""

WORD_NAMES = frozenset({"word", "words", "token", "tokens", "form", "text"})
"""Usual names of the column of words."""

TAG_NAMES = frozenset({"tag", "tags", "pos", "upos", "xpos", "label", "labels", "ner", "chunk"})
"""Usual names of the column of tags."""


@dataclass(frozen=True)
class TaggedText(Sequences):
    """Sentences with a tag for every word, as in the CoNLL tasks.

    Each line holds a word, a tab or spaces, and a tag. Of several columns the first is the word and
    the last the tag. An empty line ends a sentence. A first line of usual names of columns, such as
    ``word`` and ``tag``, is skipped.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import TaggedText
      >>> lines = ["The DET", "dog NOUN", "", "It PRON", "runs VERB"]
      >>> _ = Path("tagged.txt").write_text(chr(10).join(lines))
      >>> data = TaggedText(Path("tagged.txt"), seed=None, test=0).load()
      >>> data.classes
      ('DET', 'NOUN', 'PRON', 'VERB')
      >>> data.split("train")["targets"].tolist()
      [[0, 1], [2, 3]]

    Attributes:
      path: the file, or a folder with ``train.txt`` and perhaps ``validation.txt``, ``test.txt``.
      maximum_length: longer sentences are cut after so many words; None cuts none.
      level: "words" only, as tags are of words.
    """

    path: Path = Path("tagged.txt")
    maximum_length: int | None = None

    @property
    def tokeniser(self) -> Tokeniser:
        """A tokeniser that cuts at white space only: the files determine what a word is."""
        return Tokeniser("spaces", self.lower_case)

    def load(self) -> Dataset | Bucketed:
        """Inputs (n, longest) ids of words, targets (n, longest) of tags, both padded with -1.

        Raises:
          UserError: a file is missing or damaged, a word has no tag, or a tag is not among those
            of the training sentences.
        """
        check_number("maximum length", self.maximum_length, at_least=1)
        if self.level != "words":
            raise UserError(f"level={self.level}: tags are of words; leave level='words'")
        stored: dict[str, Batch] = {
            split: _arrays(read_tagged(path, self.encoding), self.maximum_length)
            for split, path in _find_files(Path(self.path)).items()
        }
        splits = self.select(stored)
        texts = {
            name: [self._cased(words) for words in split["inputs"]]
            for name, split in splits.items()
        }
        vocabulary = self.vocabulary(texts["train"])
        tags = Vocabulary(tuple(sorted(set(chain.from_iterable(splits["train"]["targets"])))))
        width = max(map(longest, texts.values()))
        arrays = {
            name: {
                "inputs": encode_padded(vocabulary, texts[name], width),
                "targets": encode_padded(tags, _known(split["targets"], tags, name), width),
            }
            for name, split in splits.items()
        }
        data = Dataset(
            arrays, tags.words, None, vocabulary=vocabulary, maximum_length=self.maximum_length
        )
        return self.finished(data)

    def _cased(self, words: list[str]) -> list[str]:
        return [word.lower() for word in words] if self.lower_case else words


def read_tagged(path: Path, encoding: str = "utf-8") -> list[Sentence]:
    """The sentences of a file.

    Raises:
      UserError: the file is missing or not text, holds no sentence, or a word has no tag.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*read_text(path, encoding).split("\n"), ""], start=1):
        columns = line.split("\t") if "\t" in line else line.split()
        if not line.strip():
            if words:
                sentences.append((words, tags))
                words, tags = [], []
            continue
        if len(columns) < 2 or not columns[0].strip() or not columns[-1].strip():
            raise UserError(
                f"line {number} of {path} is '{line.strip()}'; it must be a word, a tab and its tag"
            )
        words.append(columns[0].strip())
        tags.append(columns[-1].strip())
    if sentences and _is_header(sentences):
        sentences[0] = (sentences[0][0][1:], sentences[0][1][1:])
        sentences = sentences if sentences[0][0] else sentences[1:]
    if not sentences:
        raise UserError(f"{path} holds no sentences")
    return sentences


def _is_header(sentences: list[Sentence]) -> bool:
    """Whether the first word and tag are names of columns: usual ones, and the tag of no word."""
    words, tags = sentences[0]
    usual = words[0].lower() in WORD_NAMES and tags[0].lower() in TAG_NAMES
    others = chain(tags[1:], *(tags for _, tags in sentences[1:]))
    return usual and tags[0] not in others


def _arrays(sentences: list[Sentence], maximum_length: int | None) -> Batch:
    return {
        "inputs": objects([words[:maximum_length] for words, _ in sentences]),
        "targets": objects([tags[:maximum_length] for _, tags in sentences]),
    }


def _known(
    sentences: Sequence[Sequence[str]], tags: Vocabulary, split: str
) -> Sequence[Sequence[str]]:
    """The tags of sentences, which must all be tags of the training sentences.

    Raises:
      UserError: a tag is not.
    """
    for tag in set(chain.from_iterable(sentences)):
        if tag not in tags.words:
            raise UserError(f"the tag '{tag}' in the {split} sentences is not in training's")
    return sentences


def _find_files(path: Path) -> dict[str, Path]:
    if not is_folder(path):
        return {"train": path}
    files = {split: path / f"{split}.txt" for split in SPLITS}
    if not files["train"].exists():
        raise UserError(f"the folder {path} has no file train.txt")
    return {split: file for split, file in files.items() if file.exists()}
