"""``nnjax classify RUN``: a class for each line of standard input, or a tag for each word."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from nnjax.cli.options import call_with_options
from nnjax.cli.trained import Trained, open_trained, read_lines
from nnjax.data.text.padding import encode_texts
from nnjax.errors import UserError, warn

BATCH = 64
"""Texts classified at once."""


def classify(run: Annotated[Path, tyro.conf.Positional], trust: bool = False) -> None:
    """Classifies standard input, a text a line, by a trained model of texts.

    Prints the class, its probability and the text, separated by tabs; for a tagger, word/tag pairs.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      trust: run the code that came with the run, also where somebody else made it.
    """
    trained = open_trained(run, trust=trust)
    data = trained.data
    if data.vocabulary is None or data.classes is None:
        raise UserError(
            f"{trained.directory} holds a {type(trained.learner.model).__name__} that classifies "
            "no texts; give a run of one that does, such as topic"
        )
    lines = read_lines()
    _warn_of_cut_texts(trained, lines)
    for first in range(0, len(lines), BATCH):
        for answer in _answers(trained, lines[first : first + BATCH]):
            print(answer, flush=True)


def _warn_of_cut_texts(trained: Trained, lines: Sequence[str]) -> None:
    """Tells that texts are longer than those of the training, which were cut."""
    most = trained.maximum_length
    if most is None:
        return
    tokeniser = trained.data.vocabulary.tokeniser
    cut = [number for number, line in enumerate(lines, 1) if len(tokeniser.split(line)) > most]
    if cut:
        unit = "characters" if tokeniser.level == "characters" else "words"
        warn(
            f"{len(cut):,} of {len(lines):,} texts, the first on line {cut[0]:,}, are cut after "
            f"{most:,} {unit}, as those of the training were"
        )


def _answers(trained: Trained, lines: Sequence[str]) -> Iterator[str]:
    """The line to print for each text."""
    data = trained.data
    # Sources of labelled texts drop spaces at the ends; tags are of every character.
    is_tagger = len(data.stored["targets"].shape) > 0
    texts = lines if is_tagger else [line.strip() for line in lines]
    ids = encode_texts(data.vocabulary, texts, trained.maximum_length)
    predicted = np.asarray(jax.jit(trained.learner.predict)(trained.state, ids))
    for line, row in zip(lines, predicted, strict=True):
        if row.ndim == 2:
            yield _tagged(line, row, data, trained.maximum_length)
        else:
            yield _classified(line, row, data)


def _classified(line: str, probabilities: np.ndarray, data: Any) -> str:
    if len(probabilities) == 1:
        probabilities = np.array([1 - probabilities[0], probabilities[0]])
    best = int(probabilities.argmax())
    return f"{data.classes[best]}\t{probabilities[best]:.4f}\t{line}"


def _tagged(
    line: str, probabilities: np.ndarray, data: Any, maximum_length: int | None = None
) -> str:
    # Words beyond the maximum length are not read and get no tag.
    words = data.vocabulary.tokeniser.split(line)[:maximum_length]
    tags = [data.classes[tag] for tag in probabilities.argmax(-1)[: len(words)]]
    return " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))


def run(arguments: list[str]) -> int:
    """Parses the command line and classifies."""
    call_with_options(classify, arguments, "nnjax classify")
    return 0
