"""A dry run: shapes, memory and length of an experiment, without reading any data."""

import dataclasses
from typing import Any

import jax

from nnjax import parameters
from nnjax.data.checks import path_name
from nnjax.data.dataset import SPLITS, specification
from nnjax.summary import Summary, summarise
from nnjax.tables import Table
from nnjax.training.experiment import Experiment, fit_to_data


@dataclasses.dataclass(frozen=True)
class Findings:
    """The results of a dry run.

    Attributes:
      layers: the layer table; None if the learner has no ``model``.
      inputs: shapes and dtypes of a batch of inputs, after preprocessing.
      examples: number of examples of each split.
      steps: number of updates of the whole run.
      steps_per_epoch: number of updates in one pass over the training data.
      state_bytes: memory of the training state: parameters, optimizer state, random key.
      update_bytes: additional memory of one update, for gradients and activations, as the compiler
        reports it; None if the compiler reports none.
    """

    layers: Summary | None
    inputs: Any
    examples: dict[str, int]
    steps: int
    steps_per_epoch: int
    state_bytes: int
    update_bytes: int | None

    def render(self) -> Table:
        """Returns the results as a table."""
        table = Table(["", ""], left=(0, 1))
        for path, array in jax.tree.leaves_with_path(self.inputs):
            shape = " x ".join(map(str, array.shape))
            table.add_row(f"batch {path_name(path)}".strip(), f"{shape} {array.dtype}")
        for split, count in self.examples.items():
            table.add_row(f"{split} examples", f"{count:,}")
        table.add_row("updates", f"{self.steps:,} ({self.steps_per_epoch:,} an epoch)")
        table.add_row("training state", _megabytes(self.state_bytes))
        if self.update_bytes is not None:
            table.add_row("one update", _megabytes(self.update_bytes))
        return table


def dry_run(experiment: Experiment) -> Findings:
    """Returns shapes, parameters, FLOPs, memory and length of a run, without training.

    Raises:
      UserError: the options do not fit each other or the data.
    """
    training = experiment.training
    data = specification(experiment.data)
    learner = fit_to_data(experiment.learner, data, training)
    examples = data.size("train")
    batch = data.example(training.batch(examples))
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(learner.init, key, batch)
    inputs = batch["inputs"]
    splits = {name: data.size(name) for name in SPLITS if data.size(name)}
    return Findings(
        layers=summarise(learner.model, inputs) if hasattr(learner, "model") else None,
        inputs=inputs,
        examples=splits,
        steps=training.total_steps(examples),
        steps_per_epoch=training.steps_per_epoch(examples),
        state_bytes=parameters.size_in_bytes(state),
        update_bytes=_update_bytes(learner, state, batch),
    )


def _update_bytes(learner: Any, state: Any, batch: Any) -> int | None:
    """Temporary memory of the compiled update, in bytes."""
    analysis = jax.jit(learner.step).lower(state, batch).compile().memory_analysis()
    return getattr(analysis, "temp_size_in_bytes", None)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
