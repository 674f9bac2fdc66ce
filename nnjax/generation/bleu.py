"""How good translations are, as papers report it."""

from collections.abc import Sequence

from nnjax.errors import UserError


def bleu(
    translations: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> float:
    """BLEU of a corpus (Papineni et al. 2002), as sacrebleu computes it (Post 2018).

    The geometric mean of the shares of 1- to 4-grams that are in the reference, times a penalty for
    brevity. sacrebleu splits text into words itself ("13a"), so that figures are comparable.

    Args:
      translations: one sentence each, as plain text.
      references: the right sentence for each.
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
    return BLEU(lowercase=lowercase).corpus_score(list(translations), [list(references)]).score
