"""``nnjax translate RUN``: the lines of standard input, translated."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from nnjax.cli.options import call_with_options
from nnjax.cli.trained import Trained, open_trained, read_lines
from nnjax.errors import UserError, warn

BATCH = 64
"""Sentences translated at once."""


def translate(
    run: Annotated[Path, tyro.conf.Positional],
    beams: int = 4,
    length_penalty: float = 0.6,
    length: int = 100,
    attention: Path | None = None,
    trust: bool = False,
) -> None:
    """Translates standard input, a sentence a line, by a trained encoder-decoder.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      beams: number of hypotheses of the beam search; 1 is greedy search.
      length_penalty: 0 favours short translations; 1 compares nearly the means over the words.
      length: largest number of words of a translation.
      attention: the folder for a drawing of the attention weights of each sentence.
      trust: run the code that came with the run, also where somebody else made it.
    """
    from nnjax.generation.translation import translate_to_ids

    trained = open_trained(run, trust=trust)
    check_encoder_decoder(trained)
    if attention is not None and getattr(trained.learner.model, "attention", "none") == "none":
        raise UserError(
            f"the model in {trained.directory} has no attention to draw; train one with "
            "--model.attention dot"
        )
    lines = read_lines()
    for first in range(0, len(lines), BATCH):
        some = lines[first : first + BATCH]
        found = translate_to_ids(
            trained.learner.model,
            trained.variables,
            some,
            trained.data.vocabulary,
            trained.data.target_vocabulary,
            length=length,
            beams=beams,
            length_penalty=length_penalty,
        )
        print("\n".join(map(trained.data.target_vocabulary.decode_text, found)), flush=True)
        if attention is not None:
            for number, (source, target) in enumerate(zip(some, found, strict=True), first + 1):
                if source.strip():
                    _draw(trained, source, target, attention / f"{number}.png")


def check_encoder_decoder(trained: Trained) -> None:
    """Checks that a run's model translates texts.

    Raises:
      UserError: the model is not an encoder-decoder of texts.
    """
    data, model = trained.data, trained.learner.model
    both = data.vocabulary is not None and data.target_vocabulary is not None
    if not both or data.vocabulary == data.target_vocabulary or not hasattr(model, "advance"):
        raise UserError(
            f"{trained.directory} holds a {type(model).__name__}, which translates nothing; give a "
            "run of an encoder-decoder, such as translation"
        )


def _draw(trained: Trained, source: str, target: Any, path: Path) -> None:
    """Draws the attention between a sentence and its translation."""
    from nnjax.figures.attention import draw_attention
    from nnjax.figures.style import save
    from nnjax.generation.translation import attention_of

    data = trained.data
    weights, words, written = attention_of(
        trained.learner.model,
        trained.variables,
        source,
        target,
        data.vocabulary,
        data.target_vocabulary,
    )
    warn(f"drawn {save(draw_attention(weights, words, written), path)}")


def run(arguments: list[str]) -> int:
    """Parses the command line and translates."""
    call_with_options(translate, arguments, "nnjax translate")
    return 0
