"""The beach and the toys of scikit-learn."""

import numpy as np
import pytest

from nnjax.data import Beach, Blobs, Circles, Diabetes, Digits, specification
from nnjax.errors import UserError

TOYS = [
    Beach(),
    Blobs(examples=30, centers=3),
    Circles(examples=20, validation=5),
    Diabetes(),
    Digits(train=50),
]


@pytest.mark.parametrize("source", TOYS, ids=lambda source: type(source).__name__)
def test_specification_agrees_with_the_data(source):
    data, spec = source.load(), specification(source)
    assert spec.stored == data.stored
    assert spec.classes == data.classes
    assert spec.outputs == data.outputs
    assert all(spec.size(name) == data.size(name) for name in ("train", "validation", "test"))
    assert spec.example(4) == data.example(4)


def test_the_beach_is_linearly_separable():
    train = Beach().load().split("train")
    inside = train["inputs"] @ np.array([0.0, 1.0, -1.0]) - 1 >= 0
    assert inside.tolist() == train["targets"].astype(bool).tolist()


def test_the_seed_decides_on_the_points():
    first, again, other = (Blobs(seed=seed).load().split("train") for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["inputs"], again["inputs"])
    assert np.any(first["inputs"] != other["inputs"])


def test_circles_lie_at_their_radii():
    train = Circles(noise=0.0, factor=0.5, test=0).load().split("train")
    radii = np.linalg.norm(train["inputs"], axis=1)
    np.testing.assert_allclose(radii, np.where(train["targets"] == 1, 0.5, 1.0), rtol=1e-6)


def test_digits_are_scaled_to_0_to_1():
    data = Digits().load()
    x = np.asarray(data.preprocess(data.split("train")["inputs"]))
    assert (x.min(), x.max()) == (0, 1)
    assert (data.size("train"), data.size("test")) == (1438, 359)


def test_linear_regression_explains_diabetes_as_it_is_known_to():
    data = Diabetes(test=0).load()
    train = data.split("train")
    x = np.asarray(data.preprocess(train["inputs"]))
    np.testing.assert_allclose(x.std(0), 1, atol=1e-4)
    design = np.column_stack([x, np.ones(len(x))])
    residual = train["targets"] - design @ np.linalg.lstsq(design, train["targets"])[0]
    # R^2 of ordinary least squares on all 442 patients (Efron et al., 2004).
    assert 1 - residual.var() / train["targets"].var() == pytest.approx(0.5177, abs=1e-4)


@pytest.mark.parametrize("source", [Blobs(examples=0), Blobs(centers=0), Circles(examples=-1)])
def test_nothing_to_draw_is_refused(source):
    with pytest.raises(UserError, match="must be 1 or more"):
        source.load()
