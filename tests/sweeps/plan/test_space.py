"""Dimensions of a search space, read from words and made into grids."""

import itertools
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nnjax.errors import UserError
from nnjax.sweeps.plan.space import Range, Values, grid, parse


def number(word):
    try:
        return float(word)
    except ValueError:
        raise UserError(f"takes a number, not '{word}'") from None


def test_a_list_of_values():
    found = parse("learning-rate", ["0.01", "3e-2"], number)
    assert found == Values((0.01, 0.03), (0.01, 0.03))


def test_whole_numbers_from_to():
    assert parse("seed", ["0..4"], int).points() == (0, 1, 2, 3, 4)


def test_what_is_no_number_is_labelled_as_typed():
    found = parse("features", ["20 40", "30"], lambda word: tuple(map(int, word.split())))
    assert found.points() == ("20 40", "30")
    assert found.value("20 40") == (20, 40)


@pytest.mark.parametrize(
    ("word", "points"),
    [
        ("log:1e-4..1e-1:4", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("linear:0..0.5:3", (0.0, 0.25, 0.5)),
        ("int:8..64:3", (8, 36, 64)),
    ],
)
def test_ranges_with_a_number_of_points(word, points):
    assert parse("x", [word], number).points() == pytest.approx(points)


@given(
    st.floats(-1e9, 1e9),
    st.floats(1e-3, 1e4) | st.sampled_from([1e-9, 1e-6, 0.2, 1e300]),
    st.integers(2, 40),
    st.sampled_from(["log", "linear"]),
)
@example(123456.7, 0.2, 5, "linear")
@example(1.0, 2.220446049250313e-16, 2, "linear")
@example(1e-300, 1e300, 7, "log")
@example(16575494.0, 1e-6, 12, "log")
def test_the_points_of_a_range_lie_in_it_and_are_apart(low, width, count, scale):
    low = abs(low) + 1e-300 if scale == "log" else low
    assume(low + width > low)
    made = Range(low, low + width, scale, count)
    if (made.high - made.low) / count < 8 * np.spacing(max(abs(made.low), abs(made.high))):
        # Floating point may have fewer numbers there.
        with suppress(UserError):
            made.points()
        return
    points = made.points()
    assert len(points) == count
    assert (points[0], points[-1]) == (made.low, made.high)
    assert all(one < other for one, other in itertools.pairwise(points))
    if scale == "linear":
        even = np.linspace(made.low, made.high, count)
        np.testing.assert_allclose(points, even, rtol=1e-15, atol=width / (count - 1) / 500)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**7), st.integers(2, 40))
def test_the_points_of_a_range_of_whole_numbers_lie_in_it(low, width, count):
    points = Range(low, low + width, "linear", count, integer=True).points()
    assert len(points) == min(count, width + 1)
    assert (points[0], points[-1]) == (low, low + width)
    assert all(isinstance(point, int) for point in points)
    assert all(one < other for one, other in itertools.pairwise(points))


def test_points_have_as_few_digits_as_show_them_apart():
    assert Range(123456.7, 123456.9, "linear", 5).points() == (
        *(123456.7, 123456.75, 123456.8, 123456.85, 123456.9),
    )
    assert Range(0.0, 1.0, "linear", 4).points() == (0.0, 0.333333, 0.666667, 1.0)


def test_a_grid_takes_every_combination():
    points = grid({"a": Values((1, 2)), "b": Values(("x", "y", "z"))})
    assert len(points) == 6
    assert points[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--over x needs values, as in --over x 0.01 0.03 0.1"),
        (["0.1", "0.1"], "--over x names a value twice: 0.1 0.1"),
        (["4..0"], "--over x 4..0 counts upwards: 0..4"),
        (
            ["1..999999999"],
            "--over x 1..999999999 lists 999,999,999 values, 10,000 are the most; list fewer, or "
            "draw some: --over x int:1..999999999 --sampler random --trials 50",
        ),
        (["linear:0..1:999999999"], "a range has at most 10,000 points, not 999,999,999"),
        (["log:0..1:3"], "a log range begins above 0, not at 0.0"),
        (["linear:1..0"], "the range 1.0..0.0 must go from a number to a larger"),
        (["linear:1..b"], "--over x linear:1..b is no range"),
        (["int:1.5..4:3"], "a range of whole numbers has whole ends, not 1.5..4.0"),
        (["linear:0..1:1"], "a range has at least 2 points, both ends, not 1"),
        (["a"], "takes a number, not 'a'"),
    ],
)
def test_refused_in_one_sentence(words, sentence):
    with pytest.raises(UserError) as refused:
        parse("x", words, number)
    assert str(refused.value).startswith(sentence)


def test_a_grid_of_too_many_combinations_is_refused():
    hundred = Values(tuple(range(100)))
    assert len(grid({"a": hundred, "b": hundred})) == 10_000
    with pytest.raises(UserError, match="a grid of 1,000,000 combinations is too large, 10,000"):
        grid({"a": hundred, "b": hundred, "c": hundred})


def test_a_grid_of_a_range_needs_the_number_of_points():
    with pytest.raises(UserError, match=r"needs the number of points, as in log:0.1..1:5"):
        grid({"x": parse("x", ["log:0.1..1"], number)})
