"""``nnjax generate RUN``: text written by a trained language model."""

import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from nnjax.cli.options import call_with_options
from nnjax.cli.trained import Trained, open_trained
from nnjax.data import spacing
from nnjax.errors import UserError, warn
from nnjax.traced import check_number


def generate(
    run: Annotated[Path, tyro.conf.Positional],
    prompt: str = "",
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    samples: int = 1,
    seed: int = 0,
    trust: bool = False,
) -> None:
    """Continues a text with a trained language model; one text appears as it is written.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      prompt: the text to continue.
      length: number of words, or characters, to add, in the unit that the model was trained on.
      temperature: below 1 makes likely words likelier, above 1 less likely; 0 always takes the
        likeliest word.
      top_k: draw from this many likeliest words only.
      top_p: draw from the smallest set of likeliest words whose probabilities add up to this.
      samples: number of texts to write.
      seed: of the draws; the same seed writes the same text.
      trust: run the code that came with the run, also where somebody else made it.
    """
    from nnjax import generation

    check_number("number of samples", samples, at_least=1)
    sampling = generation.Sampling(temperature, top_k, top_p)
    trained = open_trained(run, trust=trust)
    vocabulary = language_of(trained)
    ids = vocabulary.encode_text(prompt).tolist()
    began = time.perf_counter()
    show = _Printer(vocabulary, ids) if samples == 1 else None
    written = generation.generate(
        trained.learner.model,
        trained.variables,
        [ids] * samples,
        length,
        seed=seed,
        sampling=sampling,
        callback=show,
    )
    seconds = time.perf_counter() - began
    if show is None:
        for number, row in enumerate(written, 1):
            print(f"{number}.\n{vocabulary.decode_text([*ids, *row])}\n")
    else:
        show.finish()
    count = int((written >= 0).sum())
    unit = "characters" if vocabulary.tokeniser.level == "characters" else "words"
    warn(f"{count:,} {unit} in {seconds:.1f} s, compilation included")


def language_of(trained: Trained) -> Any:
    """The vocabulary of a run's language model.

    Raises:
      UserError: the run's model is not a language model.
    """
    vocabulary = trained.data.target_vocabulary
    if vocabulary is None or not hasattr(trained.learner.model, "advance"):
        raise UserError(
            f"{trained.directory} holds a {type(trained.learner.model).__name__}, which writes no "
            "text; give a run of a language model, such as char_lm"
        )
    if trained.data.vocabulary is None:
        raise UserError(
            f"the {type(trained.learner.model).__name__} in {trained.directory} writes about "
            "something that is no text; call nnjax.generation.answer from Python"
        )
    if trained.data.vocabulary != vocabulary:
        raise UserError(
            f"the model in {trained.directory} writes answers to a source; use nnjax translate"
        )
    return vocabulary


class _Printer:
    """Prints a text while the model writes it: each chunk prints what it adds."""

    def __init__(self, vocabulary: Any, prompt: Sequence[int]):
        self._vocabulary = vocabulary
        self._ids = list(prompt)
        self._printed = 0

    def __call__(self, ids: Any) -> None:
        self._ids += [one for one in ids[0].tolist() if one >= 0]
        self._print(self._settled())

    def finish(self) -> None:
        """Prints what is left of the text, and ends the line."""
        self._print(self._vocabulary.decode_text(self._ids) + "\n")

    def _settled(self) -> str:
        """The beginning of the text that later words cannot change."""
        text = self._vocabulary.decode_text(self._ids)
        if self._vocabulary.tokeniser.level != "words":
            return text
        # A space may depend on this many later words.
        earlier = self._vocabulary.decode_text(self._ids[: -spacing.LOOK_AHEAD])
        same = itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(earlier, text, strict=False)
        )
        return text[: sum(1 for _ in same)]

    def _print(self, text: str) -> None:
        sys.stdout.write(text[self._printed :])
        sys.stdout.flush()
        self._printed = max(self._printed, len(text))


def run(arguments: list[str]) -> int:
    """Parses the command line and generates."""
    call_with_options(generate, arguments, "nnjax generate")
    return 0
