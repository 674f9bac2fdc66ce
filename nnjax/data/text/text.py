"""Text for next-word prediction: any text, and the recipes of the SciNet course."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnjax.data.text.files import library_text, read_text, read_texts
from nnjax.data.text.tfds_texts import TfdsTexts, is_tfds
from nnjax.data.text.windows import Targets, Windowing, Windows
from nnjax.data.vocabulary import UNKNOWN, Vocabulary
from nnjax.data.words import Tokeniser, drop_rare, recipe_words
from nnjax.errors import UserError
from nnjax.traced import check_number


@dataclass(frozen=True)
class Text(Windowing):
    """Text, to predict its next character or word.

    The vocabulary is that of the whole text. Words that the options leave out of it become
    ``<unknown>``.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Text
      >>> _ = Path("verse.txt").write_text("the rose is red, the violet's blue. " * 9)
      >>> data = Text(Path("verse.txt"), level="words", length=8).load()
      >>> data.size("train"), data.vocabulary.words[:3]
      (8, ('the', ',', '.'))

    Attributes:
      path: a file, or a folder whose files are read one after another in the order of their names,
        or ``tfds:NAME``, a set of TensorFlow Datasets whose splits are read one after another; None
        is the Python standard library's own sources, twelve million characters.
      files: which files of a folder.
      encoding: of the files.
      level: take "characters" or "words" as the unit of text.
      lower_case: convert all letters to lower case.
      limit: use only this many characters from the beginning; None uses all.
      minimum_count: the vocabulary leaves out words, or characters, that occur less often.
      maximum_words: largest size of the vocabulary; None sets no limit.
    """

    path: Path | None = None
    files: str = "*.txt"
    encoding: str = "utf-8"
    level: Literal["characters", "words"] = "characters"
    lower_case: bool = False
    limit: int | None = None
    minimum_count: int = 1
    maximum_words: int | None = None

    def load(self) -> Windows:
        """Windows: inputs (n, length) ids, targets (n, length), or (n,), the ids that follow.

        Raises:
          UserError: there is no text, too little, or a file is not text.
        """
        check_number("limit", self.limit, at_least=1)
        text = self._read()
        tokeniser = Tokeniser(self.level, self.lower_case)
        words = tokeniser.split(text[: self.limit])
        counts = Counter(words)
        rare = min(counts.values(), default=0) < self.minimum_count
        many = self.maximum_words is not None and len(counts) > self.maximum_words
        vocabulary = Vocabulary.from_counts(
            counts,
            minimum_count=self.minimum_count,
            maximum_size=self.maximum_words,
            special=(UNKNOWN,) if rare or many else (),
            tokeniser=tokeniser,
        )
        return self.windows(vocabulary.encode(words), vocabulary)

    def _read(self) -> str:
        if self.path is None:
            return library_text()
        if is_tfds(self.path):
            return TfdsTexts(self.path).one_text()
        return read_texts(Path(self.path), self.files, self.encoding)


@dataclass(frozen=True)
class Recipes(Windowing):
    """A file of recipes as one text, to predict its next word, as in the SciNet course.

    :func:`nnjax.data.words.recipe_words` describes the preprocessing.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Recipes
      >>> _ = Path("recipes.txt").write_text("Egg-White: beat 1/2 cup (hot) milk. " * 9)
      >>> data = Recipes(Path("recipes.txt"), length=5).load()
      >>> data.vocabulary.decode(data.split("train")["tokens"][:6])
      ['egg', '-', 'white', ':', 'beat', '1']

    Attributes:
      path: the file.
      encoding: of the file.
      minimum_count: words that occur less often are dropped from the text.
      length: number of words of a window, from which the model predicts.
      targets: predict the word after every word of a window, or only the word after the "last".
    """

    path: Path = Path("recipes.txt")
    encoding: str = "utf-8"
    minimum_count: int = 5
    length: int = field(default=50, kw_only=True)
    targets: Targets = field(default="last", kw_only=True)

    def load(self) -> Windows:
        """Windows: inputs (n, length) ids, targets (n,), or (n, length), the ids that follow.

        Raises:
          UserError: the file is missing, not text, or too short.
        """
        words = recipe_words(read_text(Path(self.path), self.encoding))
        kept = drop_rare(words, self.minimum_count)
        if not kept:
            raise UserError(
                f"{self.path} holds no word {self.minimum_count} times; lower --data.minimum-count"
            )
        vocabulary = Vocabulary.from_counts(Counter(kept), tokeniser=Tokeniser("recipe"))
        return self.windows(vocabulary.encode(kept), vocabulary)
