"""The figures of a sweep show each trial where its values and its result put it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection

from nnjax.errors import UserError
from nnjax.figures import (
    draw_hyperparameters,
    draw_importances,
    draw_parallel_coordinates,
    draw_sweep_curves,
    save,
    style,
)
from nnjax.figures.curves import Curve
from nnjax.figures.sweeps.hyperparameter_scale import Scale, text

TRIALS = [
    {"rate": 0.01, "optimizer": "adam", "seed": 0},
    {"rate": 0.1, "optimizer": "sgd", "seed": 1},
    {"rate": 0.01, "optimizer": "sgd", "seed": 1},
    {"rate": 1.0, "optimizer": "adam", "seed": 0},
    {"rate": 0.001, "optimizer": "adam", "seed": 1},
]
RESULTS = [0.9, 0.8, 0.7, None, None]
STATES = ["complete", "complete", "complete", "pruned", "failed"]


def curve(values):
    return Curve(np.arange(1.0, len(values) + 1), np.asarray(values, float))


def written(figure):
    """Every text of a figure."""
    found = [one.get_text() for one in figure.texts]
    for axes in figure.axes:
        found += [one.get_text() for one in axes.texts]
    return found


def ticks(axes):
    return [one.get_text() for one in axes.get_xticklabels()]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ((0.001, 0.01, 0.1), None, "log"),
        ((0.1, 0.3, 1.0), None, "log"),
        ((16, 32, 64), None, "log"),
        ((1.0, 1.5, 2.0), None, "linear"),
        ((0.0, 0.1, 0.2), None, "linear"),
        ((0.0, 1e-4, 1e-2), None, "ticks"),
        (("sgd", "adam"), None, "ticks"),
        ((True, False), None, "ticks"),
        ((0.001, 0.5, 1.0), "linear", "linear"),
        ((0.2, 0.3, 0.35), "log", "log"),
        ((0, 1, 2, 3), "ticks", "ticks"),
        (range(100), "ticks", "linear"),
        ((0.1,), "log", "ticks"),
    ],
)
def test_the_scale_that_suits_values(values, kind, expected):
    assert Scale.of(values, kind).kind == expected


@given(st.lists(st.floats(1e-8, 1e8), min_size=2, max_size=30, unique=True), st.booleans())
def test_values_lie_in_order_between_the_first_and_the_last(values, log):
    scale = Scale.of(values, "log" if log else "linear")
    places = [scale.fraction(value) for value in sorted(values)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, pytest.approx(1))
    assert all(-0.1 < at < 1.1 for at, _ in scale.heights())
    assert scale.heights()


def test_words_and_lists_of_sizes_are_in_their_natural_order():
    assert Scale.of(["16 16", "8", "128", "64"]).choices == ("8", "64", "128", "16 16")
    assert Scale.of(["sgd", None, "adam"]).choices == (None, "adam", "sgd")
    assert [text(value) for value in (1e-6, 0.123456, 32, "adam", [8, 8])] == [
        *("1e-6", "0.1235", "32", "adam", "8 8")
    ]


def test_hyperparameters_have_a_point_for_each_result_and_the_mean_of_each_value(tmp_path):
    figure = draw_hyperparameters(
        TRIALS, RESULTS, STATES, "validation accuracy", scales={"seed": "ticks"}, title="a sweep"
    )
    rate, optimizer, seed = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["rate", "optimizer", "seed"]
    points = next(one for one in rate.collections if isinstance(one, PathCollection))
    np.testing.assert_allclose(points.get_offsets(), [[-2, 0.9], [-1, 0.8], [-2, 0.7]])
    assert ticks(rate) == ["0.001", "0.01", "0.1", "1"]
    assert ticks(optimizer) == ["adam", "sgd"]
    assert ticks(seed) == ["0", "1"]
    means = {tuple(map(float, xy)) for line in rate.lines for xy in line.get_xydata()}
    assert {(-2.0, 0.8), (-1.0, 0.8)} <= means
    strokes = [list(line.get_xdata()) for line in rate.lines[:2]]
    assert strokes == [[0.0], [-3.0]]
    assert {"a sweep", "1 pruned", "1 failed", "mean"} <= set(written(figure))
    save(figure, tmp_path / "hyperparameters.png")


def test_hyperparameters_that_only_some_trials_have_and_losses_of_many_sizes(tmp_path):
    trials = [{"rate": 0.1}, {"rate": 0.2, "momentum": 0.9}, *({"rate": r} for r in (0.3, 0.4))]
    figure = draw_hyperparameters(trials, [1e-4, 0.1, 1.0, 30.0], ["complete"] * 4, "train loss")
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "log"]
    assert len(figure.axes[1].collections[0].get_offsets()) == 1
    save(figure, tmp_path / "some.png")


def test_parallel_coordinates_end_at_the_metric_the_better_the_higher(tmp_path):
    for maximize in (True, False):
        results = RESULTS if maximize else [0.2, 0.3, 0.4, None, None]
        figure = draw_parallel_coordinates(TRIALS, results, "accuracy", maximize=maximize)
        (axes,) = figure.axes
        # Drawn from the worst to the best; then the axes themselves.
        lines = [line.get_xydata() for line in axes.lines[:5]]
        assert [len(line) for line in lines] == [3, 3, 4, 4, 4]
        ends = [line[-1, 1] for line in lines[2:]]
        np.testing.assert_allclose(ends, [0.0, 0.5, 1.0], atol=1e-9)
        assert axes.lines[4].get_color() == style.ALARM
        assert any("2 without a result grey" in one for one in written(figure))
    save(figure, tmp_path / "parallel.png")


def test_parallel_coordinates_of_equal_results(tmp_path):
    figure = draw_parallel_coordinates(TRIALS[:2], [1.0, 1.0], "accuracy", maximize=True)
    save(figure, tmp_path / "equal.png")


def test_importances_are_bars_with_their_shares(tmp_path):
    figure = draw_importances({"seed": 0.25, "learning_rate": 0.75}, "importance", "a note")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.75]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["seed", "learning rate"]
    assert {"25%", "75%", "importance", "a note"} <= set(written(figure))
    save(figure, tmp_path / "importance.png")


def test_sweep_curves_have_the_colour_of_a_hyperparameter(tmp_path):
    curves = [curve([0.5, 0.9]), curve([0.4, 0.8]), curve([0.3]), curve([0.3, 0.7])]
    states = ["complete", "complete", "pruned", "running"]
    figure = draw_sweep_curves(
        curves,
        states,
        "validation accuracy",
        best="trial 7, 0.9000",
        colour_by="learning_rate",
        values=[0.1, 0.01, 0.1, 0.01],
    )
    lines = figure.axes[0].lines
    drawn = {tuple(line.get_ydata()): line for line in lines}
    first, second, pruned, running = (drawn[tuple(one.values)] for one in curves)
    assert first.get_color() == pruned.get_color() != second.get_color() == running.get_color()
    assert pruned.get_alpha() < second.get_alpha()
    assert first.get_linewidth() > second.get_linewidth()
    expected = {"best: trial 7, 0.9000", "learning rate", "0.1", "0.01", "pale: 1 pruned"}
    assert expected <= set(written(figure))
    save(figure, tmp_path / "curves.png")


def test_many_values_have_a_strip_of_colours_in_place_of_names(tmp_path):
    curves = [curve([1.0, level]) for level in np.linspace(0.1, 0.9, 30)]
    rates = np.geomspace(1e-4, 1, 30).tolist()
    options = {"colour_by": "rate", "values": rates, "kind": "log"}
    figure = draw_sweep_curves(curves, ["complete"] * 30, "train loss", **options)
    assert len(figure.axes) == 2
    assert len(written(figure)) < 5
    save(figure, tmp_path / "strip.png")


def test_a_trial_gone_astray_leaves_the_picture_to_the_others():
    curves = [curve([1.0, 0.9 - level]) for level in np.linspace(0.1, 0.5, 10)]
    bad = [curve([1e3, 1e9]), curve([1.0, 1e30])]
    states = ["complete"] * 11 + ["failed"]
    figure = draw_sweep_curves([*curves, *bad], states, "train loss")
    assert figure.axes[0].get_ylim()[1] < 2
    with pytest.raises(UserError, match="no trial has been measured"):
        draw_sweep_curves([], [], "train loss")
