"""The figures that a finished run leaves: those that its data and model allow."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nnjax.data.dataset import Dataset, Stream
from nnjax.errors import UserError, warn
from nnjax.export import evaluation_params
from nnjax.figures.confusion import draw_confusion_matrix
from nnjax.figures.decision_boundary import draw_decision_boundary
from nnjax.figures.kernels import draw_kernels, first_layer_kernels
from nnjax.figures.learning_curves import draw_learning_curves
from nnjax.figures.mistakes import draw_mistakes
from nnjax.figures.mosaic import is_image
from nnjax.figures.prediction import (
    class_indices,
    decisions,
    flat,
    output_names,
    predict_with_targets,
)
from nnjax.figures.regression import draw_regression
from nnjax.figures.settings import import_matplotlib
from nnjax.figures.style import save
from nnjax.metrics import confusion_matrix
from nnjax.training.interruption import Interrupted

if TYPE_CHECKING:
    from nnjax.runs.run import Run

SHOWN = ("test", "validation", "train")
"""The figures show the first of these splits that the data has."""


def draw_report(result: Any, data: Dataset | Stream, run: Run) -> list[Path]:
    """Draws what a trained learner does, as PNG files in the figures folder of its run.

    Learning curves; of a classifier the confusion matrix, of images also the mistakes and the
    kernels of the first layer, of points in the plane the decision boundary; of a regression the
    predictions against the true values. A figure that cannot be drawn is left out with a warning on
    stderr: the training is finished, and its results must not be lost by a figure.

    Args:
      result: what ``fit`` returned: ``learner``, ``state`` and ``summary``.
      data: that it was trained on.
      run: the run directory. Of several processes that train one run, rank 0 draws.

    Returns:
      The paths of the files, in the order in which they are worth looking at.

    Example:
      >>> from pathlib import Path
      >>> from nnjax.data import Circles
      >>> from nnjax.figures import draw_report
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.optimizers import SGD
      >>> from nnjax.runs import Run
      >>> from nnjax.training import Experiment, Training, fit
      >>> learner = Supervised(MLP(features=(4,)), optimizer=SGD(learning_rate=0.1))
      >>> training = Training(steps=2, batch_size=10)
      >>> experiment = Experiment(data=Circles(), learner=learner, training=training)
      >>> run = Run.create("circles", experiment, directory=Path("run"))
      >>> data = experiment.data.load()
      >>> result = fit(learner, data, training, run=run)
      >>> [path.name for path in draw_report(result, data, run)]
      ['learning_curves.png', 'decision_boundary.png', 'confusion_matrix.png']
    """
    if not run.keeps:
        return []
    # Importing matplotlib takes a second; another thread does it while the device predicts.
    importing = threading.Thread(target=_import_early)
    importing.start()
    split = next(name for name in SHOWN if data.size(name))
    predicted = None
    # A learner of the user's own may lack `predict`.
    if data.target_vocabulary is None and hasattr(result.learner, "predict"):
        with left_out_on_error("predictions"):
            predicted = predict_with_targets(result.learner, result.state, data, split)
    importing.join()
    try:
        import_matplotlib()
    except Exception as error:
        # For example a matplotlibrc of the user's that is not UTF-8.
        warn(f"no figure is drawn, matplotlib cannot be imported: {_in_one_line(error)}")
        return []
    paths = []
    for name, draw in _figures(result, data, run, split, predicted).items():
        with left_out_on_error(name):
            figure = draw()
            if figure is not None:
                paths.append(save(figure, run.figures / f"{name}.png"))
    return paths


def _import_early() -> None:
    # An error is raised again, and reported, by the next import.
    with contextlib.suppress(Exception):
        import_matplotlib()


@contextlib.contextmanager
def left_out_on_error(name: str) -> Iterator[None]:
    """Turns an error of a figure into a warning of one line on stderr; a signal stays a signal.

    Args:
      name: of the figure, for the warning.

    Example:
      >>> from nnjax.figures.report import left_out_on_error
      >>> with left_out_on_error("learning_curves"):
      ...     raise IndexError("no such class")
    """
    try:
        yield
    except Interrupted:
        raise
    except UserError as error:
        warn(str(error))
    except Exception as error:
        warn(f"figure left out, {name.replace('_', ' ')}: {_in_one_line(error)}")


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _figures(
    result: Any,
    data: Dataset | Stream,
    run: Run,
    split: str,
    predicted: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Callable[[], Any]]:
    """What draws each figure, or returns None, by the figure's name.

    Of text, and where nothing is predicted, there are only the learning curves.
    """
    figures: dict[str, Callable[[], Any]] = {}
    records = run.read_metrics()
    if records:
        figures["learning_curves"] = lambda: draw_learning_curves(records, result.summary, run.name)
    if predicted is None:
        return figures
    outputs, targets = flat(*predicted)
    if data.classes is None:
        title = f"{run.name}, {split}: predicted against true"
        figures["regression"] = lambda: draw_regression(targets, outputs, title)
    else:
        figures |= _classifier_figures(result, data, run, split, outputs, targets)
    if is_image(_shape(data)):
        figures["first_layer"] = lambda: _first_layer(result, data, run)
    return figures


def _classifier_figures(
    result: Any,
    data: Dataset | Stream,
    run: Run,
    split: str,
    outputs: np.ndarray,
    targets: np.ndarray,
) -> dict[str, Callable[[], Any]]:
    title = f"{run.name}, {split}"
    # Not `data.classes`: a model may have more outputs, and then predicts classes beyond these.
    names = output_names(data.classes or (), outputs.shape[-1])
    shape = _shape(data)

    def confusions() -> Any:
        labels = class_indices(targets)
        counts = np.asarray(confusion_matrix(decisions(outputs)[0], labels, len(names)))
        accuracy = np.trace(counts) / max(counts.sum(), 1)
        return draw_confusion_matrix(counts, names, f"{title}: {accuracy:.2%} correct")

    def mistakes() -> Any:
        assert isinstance(data, Dataset)
        images = _unmasked(data.split(split), "inputs")
        heading = f"{title} mistakes"
        return draw_mistakes(images, class_indices(targets), outputs, names, heading)

    figures: dict[str, Callable[[], Any]] = {"confusion_matrix": confusions}
    if isinstance(data, Dataset) and shape == (2,) and data.vocabulary is None:
        boundary = {"decision_boundary": lambda: _decision_boundary(result, data, run.name, names)}
        figures = boundary | figures
    if isinstance(data, Dataset) and is_image(shape):
        figures["mistakes"] = mistakes
    return figures


def _shape(data: Dataset | Stream) -> tuple[int, ...]:
    """The shape of the inputs of one example; () where the inputs are several arrays."""
    return getattr(data.example()["inputs"], "shape", (1,))[1:]


def _decision_boundary(result: Any, data: Dataset, name: str, names: Sequence[str]) -> Any:
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
    return draw_decision_boundary(
        lambda points: np.asarray(probabilities(points)), splits, names, title
    )


def _unmasked(arrays: Mapping[str, Any], name: str) -> np.ndarray:
    """An array of a split without the examples that the mask of the data leaves out."""
    array = np.asarray(arrays[name])
    return array[np.asarray(arrays["mask"]) > 0] if "mask" in arrays else array


def _first_layer(result: Any, data: Dataset | Stream, run: Run) -> Any:
    params = evaluation_params(result.learner, result.state)
    preprocess = getattr(data, "preprocess", None)
    seed = getattr(preprocess, "permutation_seed", None)
    kernels = first_layer_kernels(params, _shape(data), seed)
    return None if kernels is None else draw_kernels(kernels, f"{run.name}, first layer")
