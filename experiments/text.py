"""Trains a model that writes text, and shows what it writes while it learns.

Both of these run the experiment of ``configs/char_lm.py``:

    nnjax train char_lm
    python -m experiments.text char_lm
"""

import sys
from typing import Any

from nnjax.cli.main import script_main
from nnjax.console import Console
from nnjax.data.vocabulary import Vocabulary
from nnjax.errors import UserError
from nnjax.export import evaluation_params
from nnjax.figures.report import draw_report
from nnjax.generation import Sampling, generate
from nnjax.learners import State
from nnjax.runs import Run
from nnjax.training import Experiment, fit
from nnjax.training.progress import Progress, result_table

LENGTH = 200
"""Words, or characters, of a sample; fewer where the model has learned fewer positions."""

TEMPERATURE = 0.8


def main(experiment: Experiment, run: Run, *, resume: bool = False, quiet: bool = False) -> dict:
    """Runs the experiment from data to figures and returns its summary."""
    data = experiment.data.load()
    vocabulary = data.target_vocabulary
    if vocabulary is None:
        raise UserError(f"{type(experiment.data).__name__} data has no text to write; use Text")
    training = experiment.training
    with Progress.of(training, data, quiet=quiet) as progress:

        def observe(learner: Any, state: State, step: int) -> None:
            try:
                text = sample(learner, state, vocabulary)
            except UserError as error:
                progress.note(f"step {step:,} writes nothing: {error}")
                return
            run.write_sample(step, text)
            progress.note(f"step {step:,} writes: {text!r}")

        result = fit(
            experiment.learner,
            data,
            training,
            run=run,
            progress=progress,
            resume=resume,
            observe=observe,
        )
    figures = draw_report(result, data, run)
    Console().print(result_table({**result.summary, "figures": figures}))
    return result.summary


def sample(learner: Any, state: State, vocabulary: Vocabulary) -> str:
    """A text that the model writes without a prompt.

    Raises:
      UserError: the model reads texts but writes none.
    """
    model = learner.model
    bounded = getattr(model, "positions", None) == "learned"
    written = generate(
        model,
        {"params": evaluation_params(learner, state)},
        [[]],
        min(LENGTH, model.length) if bounded else LENGTH,
        sampling=Sampling(TEMPERATURE),
    )
    return vocabulary.decode_text(written[0])


if __name__ == "__main__":
    sys.exit(script_main())
