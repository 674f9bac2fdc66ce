"""The report of a run: the figures that its data and model allow."""

import dataclasses
import importlib

import jax
import numpy as np
import pytest

from nnjax.data import Circles, Dataset, Digits, Vocabulary
from nnjax.errors import UserError
from nnjax.figures import draw_report, predict
from nnjax.figures.prediction import class_indices, flat, predict_with_targets
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.metrics import confusion_matrix
from nnjax.models import MLP, SequenceClassifier
from nnjax.optimizers import SGD
from nnjax.runs.run import Run
from nnjax.training import Experiment, Training, fit

report = importlib.import_module("nnjax.figures.report")

TRAINING = Training(epochs=2, batch_size=50)


def table():
    """A regression: two numbers to one."""
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [2.0], [-1.0]], np.float32)
    return {name: {"inputs": x[part], "targets": y[part]} for name, part in PARTS.items()}


PARTS = {"train": slice(0, 150), "test": slice(150, 200)}


def trained(data, tmp_path, config=None, **options):
    learner = Supervised(model=MLP(features=(6,)), optimizer=SGD(learning_rate=0.05), **options)
    experiment = Experiment(data=config or Circles(), learner=learner, training=TRAINING)
    run = Run.create("tiny", experiment, root=tmp_path)
    return fit(learner, data, TRAINING, run=run), run


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Digits, what ``fit`` returned, and the run."""
    data = Digits().load()
    return data, *trained(data, tmp_path_factory.mktemp("digits"), Digits())


def drawn(paths, run):
    assert all(path.parent == run.figures for path in paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    return [path.stem for path in paths]


def test_points_of_the_plane(tmp_path):
    data = Circles().load()
    result, run = trained(data, tmp_path)
    names = drawn(draw_report(result, data, run), run)
    assert names == ["learning_curves", "decision_boundary", "confusion_matrix"]


def test_images(digits):
    data, result, run = digits
    names = drawn(draw_report(result, data, run), run)
    assert names == ["learning_curves", "confusion_matrix", "mistakes", "first_layer"]


def test_images_that_the_data_masks_are_not_shown(digits, monkeypatch):
    data, result, run = digits
    masked = {
        name: {**arrays, "mask": np.float32(np.arange(data.size(name)) >= 100)}
        for name, arrays in data.splits.items()
    }
    shown = []
    monkeypatch.setattr(report, "draw_mistakes", lambda *given: shown.append(given))
    draw_report(result, dataclasses.replace(data, splits=masked), run)
    ((images, labels, *_),) = shown
    arrays = data.split("test")
    np.testing.assert_array_equal(images, arrays["inputs"][100:])
    np.testing.assert_array_equal(labels, arrays["targets"][100:])


def test_regression(tmp_path):
    data = Dataset(table())
    options = {"loss": "mean_squared_error", "metrics": ()}
    result, run = trained(data, tmp_path, **options)
    assert drawn(draw_report(result, data, run), run) == ["learning_curves", "regression"]


@pytest.mark.parametrize("batch", [7, 359, 2000])
def test_predictions_do_not_depend_on_the_batch(batch, digits, monkeypatch):
    data, result, _ = digits
    inputs = data.prepare(data.split("test"))["inputs"]
    expected = result.learner.predict(result.state, inputs)
    monkeypatch.setattr("nnjax.figures.prediction.batch_size", lambda data: batch)
    outputs, targets = predict_with_targets(result.learner, result.state, data, "test")
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(targets, data.split("test")["targets"])
    np.testing.assert_array_equal(predict(result.learner, result.state, data, "test"), outputs)


def test_more_outputs_than_classes(digits):
    """The model predicts classes that there are none of, and all of these are mistakes."""
    data, result, run = digits
    outputs = np.zeros((data.size("test"), 12), np.float32)
    outputs[:, 11] = 1
    targets = data.split("test")["targets"]
    figures = report._classifier_figures(result, data, run, "test", outputs, targets)
    matrix = figures["confusion_matrix"]()
    written = [text.get_text() for text in matrix.texts + matrix.axes[0].texts]
    assert "tiny, test: 0.00% correct" in written
    assert written.count("0.0%") == 10
    assert matrix.axes[0].get_yticklabels()[-1].get_text() == "output 11"
    assert f"{len(targets)} of {len(targets)}" in figures["mistakes"]().texts[0].get_text()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (IndexError("tuple index\nout of range"), "IndexError: tuple index out of range"),
        (UserError("cannot write"), "nnjax: cannot write\n"),
    ],
)
def test_a_figure_that_fails_is_left_out_with_a_warning(
    error, sentence, digits, monkeypatch, capsys
):
    data, result, run = digits

    def fail(*arguments):
        raise error

    monkeypatch.setattr(report, "draw_confusion_matrix", fail)
    names = drawn(draw_report(result, data, run), run)
    assert names == ["learning_curves", "mistakes", "first_layer"]
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


def test_matplotlib_that_cannot_be_imported_is_one_warning(digits, monkeypatch, capsys):
    data, result, run = digits

    def fail():
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setattr(report, "import_matplotlib", fail)
    assert draw_report(result, data, run) == []
    told = capsys.readouterr().err
    assert told.startswith("nnjax: no figure is drawn, matplotlib cannot be imported: UnicodeDec")
    assert told.count("\n") == 1


def test_predictions_of_batches_that_differ_in_time():
    """Bucketed sentences: short ones in one batch, long ones in the next."""

    class Learner:
        def predict(self, state, inputs):
            return jax.nn.one_hot(inputs, 5)

    short, long = np.array([[1, 2], [3, -1]]), np.array([[4, 3, 2], [1, -1, -1]])

    class Buckets:
        outputs = 5

        def __init__(self):
            self.stored = {"targets": long}

        def size(self, split):
            return 4

        def prepare(self, batch):
            return batch

        def batches(self, split, size):
            for rows in (short, long):
                yield {"inputs": rows, "targets": rows, "mask": np.ones(2)}

    outputs, targets = predict_with_targets(Learner(), None, Buckets(), "test")
    np.testing.assert_array_equal(targets, [[1, 2, -1], [3, -1, -1], [4, 3, 2], [1, -1, -1]])
    predicted, present = flat(outputs, targets)
    np.testing.assert_array_equal(predicted.argmax(-1), present)


def test_confusions_agree_with_the_accuracy(digits):
    data, result, _ = digits
    outputs, targets = predict_with_targets(result.learner, result.state, data, "test")
    counts = confusion_matrix(outputs.argmax(1), targets, 10)
    accuracy = np.trace(counts) / counts.sum()
    assert accuracy == pytest.approx(result.summary["test"]["accuracy"], abs=1e-6)


def test_class_indices_of_every_form_of_target():
    for targets in (np.array([1, 0]), np.array([[0, 1], [1, 0]]), np.array([[1.0], [0.0]])):
        np.testing.assert_array_equal(class_indices(targets), [1, 0])


def test_texts_of_two_words_are_no_points_of_the_plane(tmp_path):
    vocabulary = Vocabulary(("a", "b"))
    ids = np.array([[0, 1], [1, 0]] * 40, np.int32)
    split = {"inputs": ids, "targets": ids[:, 0]}
    data = Dataset({"train": split, "test": split}, ("a", "b"), None, vocabulary=vocabulary)
    model = SequenceClassifier(Recurrent(GRUCell(3)))
    learner = Supervised(model=model, optimizer=SGD(learning_rate=0.1))
    experiment = Experiment(data=Circles(), learner=learner, training=TRAINING)
    run = Run.create("tiny", experiment, root=tmp_path)
    result = fit(learner, data, TRAINING, run=run)
    assert drawn(draw_report(result, data, run), run) == ["learning_curves", "confusion_matrix"]
