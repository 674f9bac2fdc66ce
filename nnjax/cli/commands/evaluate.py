"""``nnjax evaluate RUN``: measures a trained run on every split."""

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from nnjax.cli.options import call_with_options
from nnjax.cli.runs import open_run
from nnjax.console import Console
from nnjax.errors import warn
from nnjax.tables import Table

MOST_CLASSES = 30
MOST_CONFUSIONS = 10

ROUNDING = 1e-4
"""The relative difference that is taken for rounding: float32 sums depend on their order."""


def evaluate(run: Annotated[Path, tyro.conf.Positional], trust: bool = False) -> None:
    """Measures a trained run on every split of its data, every example counted once.

    Args:
      run: the run directory, or runs/NAME for the newest run of that name.
      trust: run the code that came with the run, also where somebody else made it.
    """
    from nnjax.data.dataset import SPLITS
    from nnjax.distributed.devices import make_mesh
    from nnjax.training.evaluation import Evaluator
    from nnjax.training.snapshot import read_trained

    console = Console()
    opened = open_run(run, trust=trust)
    data = opened.load_data()
    learner, state, step = read_trained(opened.experiment, opened.run, data, warn)
    evaluator = Evaluator(learner, data, make_mesh(1))
    measured = {split: evaluator(state, split) for split in SPLITS if data.size(split)}
    heading = f"{opened.run.directory}, parameters of step {step:,}\n"
    console.print(heading)
    console.print(_metrics_table(measured, data))
    console.print(_verdict(measured, opened.run.read_summary()))
    if data.classes is not None and hasattr(learner, "predict"):
        _report_classes(console, learner, state, data, list(measured)[-1])


def _metrics_table(measured: dict[str, dict[str, float]], data: Any) -> Table:
    metrics = next(iter(measured.values()))
    table = Table(["", "examples", *(metric.replace("_", " ") for metric in metrics)])
    for split, metrics in measured.items():
        # More digits than after training, so that two runs can be compared exactly.
        numbers = [f"{value:.6g}" for value in metrics.values()]
        table.add_row(split, f"{data.size(split):,}", *numbers)
    return table


def _verdict(measured: dict[str, dict[str, float]], summary: dict[str, Any]) -> str:
    """A sentence that compares the measured metrics with those of ``summary.json``."""
    if not summary:
        return "\nnothing to compare with: summary.json is missing or damaged"
    recorded = {split: summary[split] for split in measured if split in summary}
    if not recorded:
        return f"\nnothing to compare with: the run is {summary.get('status', 'running')}"
    differing = {
        f"{split} {metric} {before!r}": math.isclose(
            measured[split].get(metric, math.nan), before, rel_tol=ROUNDING
        )
        for split, metrics in recorded.items()
        for metric, before in metrics.items()
        if measured[split].get(metric) != before and before == before
    }
    if not differing:
        return "\nequal to summary.json, to the last digit"
    if all(differing.values()):
        return (
            "\nequal to summary.json, to rounding: it was measured on other devices, or together "
            "with other trials"
        )
    return f"\nsummary.json says otherwise: {', '.join(differing)}"


def _report_classes(console: Console, learner: Any, state: Any, data: Any, split: str) -> None:
    """Prints what the confusion matrix of a split says: each class, and the commonest mistakes."""
    from nnjax.figures.prediction import (
        class_indices,
        decisions,
        flat,
        output_names,
        predict_with_targets,
    )
    from nnjax.metrics import confusion_matrix

    outputs, targets = flat(*predict_with_targets(learner, state, data, split))
    # A model with more outputs than classes can predict classes beyond these.
    names = output_names(data.classes, outputs.shape[-1])
    labels = class_indices(targets)
    counts = np.asarray(confusion_matrix(decisions(outputs)[0], labels, len(names)))
    if len(names) <= MOST_CLASSES:
        console.print(f"\n{split}, by class:")
        console.print(_classes_table(counts, names))
    wrong = counts * (1 - np.eye(len(names), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [np.unravel_index(index, wrong.shape) for index in order]
    found = [f"{names[i]} as {names[j]}: {wrong[i, j]}" for i, j in pairs if wrong[i, j]]
    console.print(f"\n{split}, {wrong.sum():,} of {counts.sum():,} mistaken")
    if found:
        console.print("most often " + ", ".join(found))


def _classes_table(counts: np.ndarray, names: tuple[str, ...]) -> Table:
    """Recall: share of a class that is recognised; precision: of a prediction that is right."""
    table = Table(["class", "examples", "correct", "recall", "precision"])
    for index, name in enumerate(names):
        correct, total, predicted = (
            counts[index, index],
            counts[index].sum(),
            counts[:, index].sum(),
        )
        shares = [f"{correct / count:.4f}" if count else "" for count in (total, predicted)]
        table.add_row(name, f"{total:,}", f"{correct:,}", *shares)
    return table


def run(arguments: list[str]) -> int:
    """Parses the command line and evaluates."""
    call_with_options(evaluate, arguments, "nnjax evaluate")
    return 0
