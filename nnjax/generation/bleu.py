"""How good translations are, as papers report it."""

from collections.abc import Sequence

from nnjax.data.vocabulary import UNKNOWN
from nnjax.errors import UserError

ONE_UNKNOWN = "\u2047"
"""Replaces ``<unknown>``, which sacrebleu would count as the three words "<", "unknown", ">"."""


def bleu(
    translations: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> float:
    """BLEU of a corpus (Papineni et al. 2002), as sacrebleu computes it (Post 2018).

    BLEU is the geometric mean of the shares of 1- to 4-grams that occur in the reference, times a
    penalty for brevity. sacrebleu cuts plain text into words by its own rules ("13a"), so that
    scores are comparable between papers.

    Example:
      >>> from nnjax.generation import bleu
      >>> round(bleu(["it costs $3.50 today ."], ["It costs $3.50 today."], lowercase=True), 1)
      100.0

    Args:
      translations: one sentence each, as plain text. A word ``<unknown>`` counts as one word that
        is wrong.
      references: the right sentence for each, as it was written.
      lowercase: whether to compare in lower case.

    Returns:
      0 to 100.

    Raises:
      UserError: there are not as many references as translations, none at all, or sacrebleu is not
        installed.
    """
    if len(translations) != len(references) or not references:
        raise UserError(
            f"BLEU compares sentences in pairs: there are {len(translations)} translations and "
            f"{len(references)} references"
        )
    try:
        from sacrebleu.metrics.bleu import BLEU  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            'BLEU is computed by sacrebleu, which is not installed: pip install "nnjax[bleu]"'
        ) from None
    written = [one.replace(UNKNOWN, ONE_UNKNOWN) for one in translations]
    # Where all sentences are shorter than four words, BLEU is that of the shorter n-grams.
    metric = BLEU(lowercase=lowercase, effective_order=True)
    return metric.corpus_score(written, [list(references)]).score
