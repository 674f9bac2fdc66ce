"""Each figure shows the numbers it was given."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from nnjax.data.preprocessing import permute
from nnjax.errors import UserError
from nnjax.figures import (
    compare_curves,
    draw_confusion_matrix,
    draw_decision_boundary,
    draw_kernels,
    draw_learning_curves,
    draw_mistakes,
    draw_regression,
    first_layer_kernels,
    save,
    style,
)
from nnjax.figures.curves import read_curves
from nnjax.figures.mosaic import as_pictures, is_image
from nnjax.figures.prediction import decisions

RECORDS = [
    {"step": step, "epoch": step / 10, "split": split, "loss": 2.0 / step, "accuracy": 1 - 1 / step}
    for step in range(10, 60, 10)
    for split in ("train", "validation")
]


def texts(figure):
    """Every text in a figure."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [label.get_text() for label in axes.get_xticklabels()]
        found.append(axes.get_title(loc="left"))
    return found


def test_read_curves_leaves_out_what_is_not_finite():
    curves = read_curves([*RECORDS, {"step": 60, "epoch": 6, "split": "train", "loss": "NaN"}])
    assert list(curves) == ["loss", "accuracy"]
    np.testing.assert_array_equal(curves["loss"]["train"].epochs, [1, 2, 3, 4, 5])
    np.testing.assert_allclose(curves["loss"]["train"].values, [0.2, 0.1, 2 / 30, 0.05, 0.04])


def test_learning_curves(tmp_path):
    summary = {
        "test": {"loss": 0.05, "accuracy": 0.97},
        "epochs": 5.0,
        "steps": 50,
        "best_step": 40,
    }
    figure = draw_learning_curves(RECORDS, summary, "a run")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
    loss, accuracy = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [0.2, 0.1, 2 / 30, 0.05, 0.04])
    np.testing.assert_allclose(accuracy.lines[-2].get_xydata(), [[4.0, 0.97]])
    assert {"train 0.04", "validation 0.04", "test 0.05", "a run"} <= set(texts(figure))
    save(figure, tmp_path / "curves.png")


def test_learning_curves_of_one_record_and_of_a_constant(tmp_path):
    save(draw_learning_curves(RECORDS[:1]), tmp_path / "one.png")
    constant = [{"epoch": e, "split": "train", "loss": 0.0} for e in range(30)]
    save(draw_learning_curves(constant), tmp_path / "constant.png")


def test_comparison_has_a_colour_for_each_run(tmp_path):
    figure = compare_curves({"first": RECORDS, "second": RECORDS[:4]})
    assert len({line.get_color() for line in figure.axes[0].lines}) == 2
    assert {"first", "second"} <= set(texts(figure))
    save(figure, tmp_path / "compared.png")
    with pytest.raises(UserError, match="no run has been measured"):
        compare_curves({"empty": []})


def test_confusion_matrix_writes_counts_and_recalls(tmp_path):
    counts = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 3]])
    figure = draw_confusion_matrix(counts, ("cat", "dog", "horse"))
    written = texts(figure)
    assert written.count("8") == 1
    assert {"2", "1", "3", "80.0%", "75.0%"} <= set(written)
    assert "0" not in written
    save(figure, tmp_path / "confusion.png")
    save(
        draw_confusion_matrix(np.eye(40, dtype=int), tuple(map(str, range(40)))), tmp_path / "b.png"
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("single", [True, False])
def test_decision_boundary(classes, single, tmp_path):
    if single and classes > 2:
        pytest.skip("one output is for two classes")
    random = np.random.default_rng(0)
    points = random.normal(size=(40, 2)).astype(np.float32)
    targets = random.integers(0, classes, 40)

    def probabilities(x):
        if single:
            return 1 / (1 + np.exp(-4 * x[:, :1]))
        scores = np.exp(x @ random.normal(size=(2, classes)))
        return scores / scores.sum(1, keepdims=True)

    splits = {"train": (points[:30], targets[:30]), "test": (points[30:], targets[30:])}
    figure = draw_decision_boundary(probabilities, splits, [f"c{i}" for i in range(classes)])
    assert figure is not None
    drawn = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    assert {"class c0", "train", "test"} <= set(texts(figure))
    assert sum(len(each.get_offsets()) for each in drawn) == 40
    save(figure, tmp_path / "boundary.png")


@pytest.mark.parametrize(("far", "drawn"), [(1e38, True), (2e38, True), (3.3e38, False)])
def test_decision_boundary_of_points_far_apart(far, drawn, tmp_path):
    points = far * np.array([[-1, 0], [1, 1], [0, -1]], np.float32)
    splits = {"train": (points, np.array([0, 1, 1]))}

    def probabilities(x):
        assert np.all(np.isfinite(x))
        return np.where(x > 0, [0.2, 0.8], [0.8, 0.2])

    figure = draw_decision_boundary(probabilities, splits, "ab")
    assert (figure is not None) == drawn
    if figure:
        save(figure, tmp_path / "boundary.png")


def test_mistakes_are_sorted_by_confidence_and_at_most_48(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (100, 4, 4, 1), np.uint8)
    probabilities = random.dirichlet(np.ones(3), 100)
    targets = (probabilities.argmax(1) + 1) % 3
    targets[:10] = probabilities[:10].argmax(1)
    figure = draw_mistakes(images, targets, probabilities, "abc")
    assert figure is not None
    assert "mistakes: 90 of 100, the 48 most confident" in texts(figure)
    captions = [text for text in texts(figure) if "→" in text and "%" in text]
    assert len(captions) == 48
    sure = [float(caption.split()[-1].rstrip("%")) for caption in captions]
    assert sure == sorted(sure, reverse=True)
    surest = 10 + np.argmax(probabilities[10:].max(1))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), images[surest, ..., 0] / 255)
    save(figure, tmp_path / "mistakes.png")


def test_no_mistakes_no_figure():
    assert draw_mistakes(np.zeros((2, 4, 4, 1)), np.array([0, 1]), np.eye(2), "ab") is None


def test_decisions_of_one_output():
    predicted, confidence = decisions(np.array([[0.5], [0.1]]))
    np.testing.assert_array_equal(predicted, [1, 0])
    np.testing.assert_allclose(confidence, [0.5, 0.9])


def test_pictures():
    assert is_image((28, 28, 1))
    assert not is_image((28, 28, 4))
    assert not is_image((784,))
    few_greys = as_pictures(np.array([0, 16], np.uint8).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(few_greys.ravel(), [0, 1])


def test_first_layer_of_a_convolution():
    kernel = np.arange(3 * 3 * 1 * 2, dtype=np.float32).reshape(3, 3, 1, 2)
    params = {"convolution1": {"bias": np.zeros(2), "kernel": kernel}}
    kernels = first_layer_kernels(params, (8, 8, 1))
    np.testing.assert_array_equal(kernels[1], kernel[..., 1])


@pytest.mark.parametrize("transposed", [True, False])
def test_first_layer_of_a_dense_net_goes_back_to_its_pixels(transposed):
    straight = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    weights = permute(straight, seed=3).reshape(5, 16)
    params = {"hidden1": {"kernel": weights if transposed else weights.T}}
    np.testing.assert_array_equal(first_layer_kernels(params, (4, 4, 1), 3), straight)


def test_no_layer_that_sees_an_image():
    assert first_layer_kernels({"hidden1": {"kernel": np.zeros((3, 2))}}, (4, 4, 1)) is None
    assert first_layer_kernels({"hidden1": {"kernel": np.zeros((3, 2))}}, (2,)) is None


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_kernels(channels, tmp_path):
    kernels = np.random.default_rng(0).normal(size=(70, 3, 3, channels))
    figure = draw_kernels(kernels)
    assert "first layer: 64 of 70 kernels of 3x3" in texts(figure)
    assert len(figure.axes[0].images) == 64
    save(figure, tmp_path / "kernels.png")


def test_regression_says_how_good_it_is(tmp_path):
    targets = np.array([0.0, 1.0, 2.0])
    figure = draw_regression(targets, targets[:, None] + 0.5)
    (title,) = [axes.get_title(loc="left") for axes in figure.axes]
    assert title == "R² 0.6250, root mean squared error 0.5000"
    save(figure, tmp_path / "regression.png")
    constant = draw_regression(np.ones(3), np.full((3, 1), 1.5))
    (title,) = [axes.get_title(loc="left") for axes in constant.axes]
    assert title == "root mean squared error 0.5000"
    nan = draw_regression(np.array([0.0, 1.0, 2.0]), np.array([[0.0], [np.nan], [2.0]]))
    (title,) = [axes.get_title(loc="left") for axes in nan.axes]
    assert title == "R² 1.0000, root mean squared error 0, 1 not finite"


def test_equal_curves_are_both_visible(tmp_path):
    """The dashes of the one lie in the gaps of the other: neither hides the other."""
    figure = compare_curves({"first": RECORDS, "second": RECORDS, "third": BETTER})
    lines = [line for line in figure.axes[0].lines if line.get_linewidth() == 1.8]
    patterns = [line._unscaled_dash_pattern for line in lines]
    assert patterns[0] == (0, (5, 5))
    assert patterns[1] == (5, (5, 5))
    assert lines[2].get_linestyle() == "-"
    picture = pixels(figure, tmp_path)
    for tint in (style.colour(0), style.colour(1)):
        shown = np.all(np.abs(picture - 255 * np.array(to_rgb(tint))) < 3, axis=-1)
        assert shown.sum() > 500


BETTER = [{**record, "loss": 0.5 * record["loss"]} for record in RECORDS]


def pixels(figure, folder):
    """(height, width, 3) of a figure without its texts, which have colours too."""
    for axes in figure.axes:
        for text in [*axes.texts]:
            text.remove()
    for text in [*figure.texts]:
        text.remove()
    return 255 * imread(save(figure, folder / "pixels.png"))[..., :3]


def test_equal_points_are_both_visible():
    """Runs of one epoch: the marker of the one encloses that of the other."""
    figure = compare_curves({"first": RECORDS[:2], "second": RECORDS[:2]})
    sizes = [line.get_markersize() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert sizes == [7, 4]


def test_equal_training_curves_of_runs_that_differ(tmp_path):
    other = [{**r, "loss": 0.9 * r["loss"]} if r["split"] == "validation" else r for r in RECORDS]
    figure = compare_curves({"first": RECORDS, "second": other})
    first, second, *solid = figure.axes[0].lines
    assert first._unscaled_dash_pattern != second._unscaled_dash_pattern
    assert [line.get_linestyle() for line in solid] == ["-", "-"]


def test_more_runs_than_colours_are_numbered():
    figure = compare_curves({f"run{number}": RECORDS for number in range(12)})
    assert {"1: run0", "11: run10", "1: 0.04", "11: 0.04"} <= set(texts(figure))


@pytest.mark.parametrize("draw", [draw_learning_curves, lambda r: compare_curves({"run": r})])
@pytest.mark.parametrize(("metrics", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3))])
def test_many_panels_are_laid_out_in_rows(draw, metrics, shape):
    records = [
        {"epoch": epoch, "split": "train", **{f"metric{i}": 1.0 for i in range(metrics)}}
        for epoch in (1, 2)
    ]
    figure = draw(records)
    corners = [axes.get_position().p0 for axes in figure.axes]
    assert len({round(y, 6) for _, y in corners}) == shape[0]
    assert len({round(x, 6) for x, _ in corners}) == shape[1]
    assert figure.get_figwidth() < 20


def test_the_kept_epoch_is_marked():
    summary = {"epochs": 5.0, "steps": 50, "best_step": 40}
    figure = draw_learning_curves(RECORDS, summary)
    for axes in figure.axes:
        assert [4.0, 4.0] in [list(line.get_xdata()) for line in axes.lines]
    assert texts(figure).count("kept") == 1
    assert "kept" not in texts(draw_learning_curves(RECORDS, {"epochs": 5.0, "steps": 50}))
    compared = compare_curves({"run": RECORDS}, {"run": 4.0})
    # The loss of the held-out split at epoch 4.
    np.testing.assert_allclose(compared.axes[0].lines[-1].get_xydata(), [[4.0, 0.05]])


def test_a_test_metric_that_is_not_finite_is_no_point():
    summary = {"test": {"loss": float("nan"), "accuracy": float("inf")}, "epochs": 5.0}
    figure = draw_learning_curves(RECORDS, summary)
    assert not any("test" in text for text in texts(figure))


def test_mistakes_of_more_outputs_than_classes():
    probabilities = np.eye(4)[[0, 3]]
    images = np.zeros((2, 4, 4, 1))
    figure = draw_mistakes(images, np.array([0, 1]), probabilities, ("cat", "dog"))
    assert "dog → output 3  100%" in texts(figure)


def test_images_with_numbers_that_are_not_finite():
    images = np.array([0.0, 5.0, np.inf, 10.0]).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(as_pictures(images).ravel(), [0, 0.5, 1, 1])
    np.testing.assert_array_equal(as_pictures(np.full((1, 1, 2, 1), 3.0)).ravel(), [0, 0])
