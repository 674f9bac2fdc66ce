"""The figures that a finished run leaves: those that its data and model allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nnjax.data.dataset import Dataset, Stream
from nnjax.export import evaluation_params
from nnjax.figures.confusion import draw_confusion_matrix
from nnjax.figures.decision_boundary import draw_decision_boundary
from nnjax.figures.kernels import draw_kernels, first_layer_kernels
from nnjax.figures.learning_curves import draw_learning_curves
from nnjax.figures.mistakes import decisions, draw_mistakes
from nnjax.figures.mosaic import is_image
from nnjax.figures.prediction import class_indices, flat, predict_with_targets
from nnjax.figures.regression import draw_regression
from nnjax.figures.style import save
from nnjax.metrics import confusion_matrix

if TYPE_CHECKING:
    from nnjax.runs.run import Run

SHOWN = ("test", "validation", "train")
"""The pictures are of the first of these splits that the data has."""


def draw_report(result: Any, data: Dataset | Stream, run: Run) -> list[Path]:
    """Draws what a trained learner does, as PNG files in the figures folder of its run.

    Learning curves; of a classifier the confusion matrix, of images also the mistakes and the
    kernels of the first layer, of points in the plane the decision boundary; of a regression the
    predictions against the true values.

    Args:
      result: what ``fit`` returned: ``learner``, ``state`` and ``summary``.
      data: that it was trained on.
      run: the run directory. Of several processes that make a run the first one draws.

    Returns:
      The paths of the files, in the order in which they are worth looking at.

    Raises:
      UserError: the disk is full or read-only.
    """
    if not run.keeps:
        return []
    # While the device predicts, another thread imports what takes a second to import.
    importing = threading.Thread(target=import_matplotlib)
    importing.start()
    split = next(name for name in SHOWN if data.size(name))
    predicted = None
    # A learner of one's own need not predict.
    if data.target_vocabulary is None and hasattr(result.learner, "predict"):
        predicted = predict_with_targets(result.learner, result.state, data, split)
    importing.join()
    figures = _figures(result, data, run, split, predicted)
    return [save(figure, run.figures / f"{name}.png") for name, figure in figures if figure]


def import_matplotlib() -> None:
    """Imports what drawing needs."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


def _figures(
    result: Any,
    data: Dataset | Stream,
    run: Run,
    split: str,
    predicted: tuple[np.ndarray, np.ndarray] | None,
) -> Iterator[tuple[str, Any]]:
    """Names and figures (or None); of text, and where nothing is predicted, only the curves."""
    records = run.read_metrics()
    if records:
        yield "learning_curves", draw_learning_curves(records, result.summary, run.name)
    if predicted is None:
        return
    outputs, targets = flat(*predicted)
    if data.classes is None:
        title = f"{run.name}, {split}: predicted against true"
        yield "regression", draw_regression(targets, outputs, title)
    else:
        yield from _classifier_figures(result, data, run, split, outputs, class_indices(targets))
    yield from _kernel_figures(result, data, run)


def _classifier_figures(
    result: Any, data: Dataset | Stream, run: Run, split: str, outputs: np.ndarray, labels: Any
) -> Iterator[tuple[str, Any]]:
    assert data.classes is not None
    title = f"{run.name}, {split}"
    shape = _shape(data)
    if isinstance(data, Dataset) and shape == (2,) and data.vocabulary is None:
        yield "decision_boundary", _decision_boundary(result, data, run.name)
    counts = np.asarray(confusion_matrix(decisions(outputs)[0], labels, len(data.classes)))
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    heading = f"{title}: {accuracy:.2%} correct"
    yield "confusion_matrix", draw_confusion_matrix(counts, data.classes, heading)
    if isinstance(data, Dataset) and is_image(shape):
        images = _unmasked(data.split(split), "inputs")
        yield "mistakes", draw_mistakes(images, labels, outputs, data.classes, f"{title} mistakes")


def _shape(data: Dataset | Stream) -> tuple[int, ...]:
    """The shape of one example's inputs; () where these are several arrays."""
    return getattr(data.example()["inputs"], "shape", (1,))[1:]


def _decision_boundary(result: Any, data: Dataset, name: str) -> Any:
    state = jax.device_put(result.state, jax.local_devices()[0])

    @jax.jit
    def probabilities(points: jax.Array) -> jax.Array:
        return result.learner.predict(state, data.prepare({"inputs": points})["inputs"])

    splits = {
        split: (_unmasked(arrays, "inputs"), class_indices(_unmasked(arrays, "targets")))
        for split, arrays in data.splits.items()
        if split in ("train", "test")
    }
    title = f"{name}: decision boundary"
    assert data.classes is not None
    return draw_decision_boundary(
        lambda points: np.asarray(probabilities(points)), splits, data.classes, title
    )


def _unmasked(arrays: Mapping[str, Any], name: str) -> np.ndarray:
    """An array of a split without the examples that the data's own mask leaves out."""
    array = np.asarray(arrays[name])
    return array[np.asarray(arrays["mask"]) > 0] if "mask" in arrays else array


def _kernel_figures(result: Any, data: Dataset | Stream, run: Run) -> Iterator[tuple[str, Any]]:
    shape = _shape(data)
    if not is_image(shape):
        return
    params = evaluation_params(result.learner, result.state)
    preprocess = getattr(data, "preprocess", None)
    kernels = first_layer_kernels(params, shape, getattr(preprocess, "permutation_seed", None))
    if kernels is not None:
        yield "first_layer", draw_kernels(kernels, f"{run.name}, first layer")
