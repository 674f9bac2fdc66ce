"""Trains a translator and scores what it writes by BLEU, greedily and by beam search.

Both of these run the experiment of ``configs/translation.py``:

    nnjax train translation
    python -m experiments.translation translation
"""

import sys
from typing import Any

from nnjax.cli.main import script_main
from nnjax.console import Console
from nnjax.data import ParallelText
from nnjax.errors import UserError
from nnjax.export import evaluation_params
from nnjax.figures.report import draw_report
from nnjax.generation.bleu import bleu
from nnjax.generation.translation import translate
from nnjax.runs import Run
from nnjax.training import Experiment, fit
from nnjax.training.fit import Result
from nnjax.training.progress import Progress, result_table

BEAMS = (1, 4)
BATCH = 100
LENGTH = 60


def main(experiment: Experiment, run: Run, *, resume: bool = False, quiet: bool = False) -> dict:
    """Runs the experiment from data to BLEU and returns its summary."""
    source = experiment.data
    if not isinstance(source, ParallelText):
        raise UserError(f"a translator needs parallel text, not {type(source).__name__}")
    bleu(["ready"], ["ready"])  # Raises before the training if sacrebleu is not installed.
    data = source.load()
    training = experiment.training
    with Progress.of(training, data, quiet=quiet) as progress:
        result = fit(experiment.learner, data, training, run=run, progress=progress, resume=resume)
    if not run.keeps:
        return result.summary
    figures = draw_report(result, data, run)
    summary = {**result.summary, "bleu": score(result, source, data, smoke=training.smoke)}
    run.write_summary(summary)
    Console().print(result_table({**summary, "figures": figures}))
    return summary


def score(
    result: Result, source: ParallelText, data: Any, *, smoke: bool = False
) -> dict[str, float]:
    """BLEU on the test sentences, else the validation sentences, by the number of beams.

    A smoke run translates only the first batch of sentences.
    """
    sentences = source.sentences()
    pairs = sentences.get("test", sentences.get("validation"))
    if pairs is None:
        return {}
    if smoke:
        pairs = {side: written[:BATCH] for side, written in pairs.items()}
    params = {"params": evaluation_params(result.learner, result.state)}
    scores = {}
    for beams in BEAMS:
        written: list[str] = []
        for first in range(0, len(pairs["source"]), BATCH):
            written += translate(
                result.learner.model,
                params,
                pairs["source"][first : first + BATCH].tolist(),
                data.vocabulary,
                data.target_vocabulary,
                length=LENGTH,
                beams=beams,
            )
        references = pairs["target"].tolist()
        scores[f"beam {beams}" if beams > 1 else "greedy"] = bleu(
            written, references, lowercase=source.lower_case
        )
    return scores


if __name__ == "__main__":
    sys.exit(script_main())
