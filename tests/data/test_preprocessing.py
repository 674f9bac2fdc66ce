"""Scaling, standardising and the fixed permutation."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Mnist, Preprocess
from nnjax.data.images.idx import write_idx
from nnjax.data.preprocessing import permute, statistics
from nnjax.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 2), np.uint8)


def test_bytes_are_mapped_to_0_to_1_and_other_numbers_kept():
    np.testing.assert_allclose(Preprocess()(PIXELS), PIXELS / 255, rtol=1e-6)
    np.testing.assert_array_equal(Preprocess()(PIXELS.astype(np.int32)), PIXELS)


def test_scale_mean_and_std_apply_in_this_order_along_the_last_axis():
    x = Preprocess(scale=0.5, mean=(1.0, 2.0), std=(4.0, 8.0))(PIXELS)
    assert x.dtype == np.float32
    expected = (0.5 * PIXELS - np.array([1.0, 2.0])) / np.array([4.0, 8.0])
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_a_wrong_number_of_channels_is_refused(name):
    with pytest.raises(UserError, match=f"preprocess.{name} has 3 numbers for 2 channels"):
        Preprocess(**{name: (1.0, 2.0, 3.0)})(PIXELS)


def test_the_same_under_jit_with_a_traced_scale():
    jitted = jax.jit(lambda scale, x: Preprocess(scale=scale)(x))(0.25, PIXELS)
    np.testing.assert_array_equal(jitted, Preprocess(scale=0.25)(PIXELS))


@given(seed=st.integers(0, 1000), shape=st.sampled_from([(6,), (3, 2), (2, 2, 3)]))
def test_one_permutation_for_every_example(seed, shape):
    size = int(np.prod(shape))
    inputs = np.stack([np.arange(size), 100 + np.arange(size)]).reshape(2, *shape)
    first, second = permute(inputs, seed)
    np.testing.assert_array_equal(np.sort(first.ravel()), np.arange(size))
    np.testing.assert_array_equal(second, first + 100)
    np.testing.assert_array_equal(permute(inputs, seed)[0], first)


def test_the_permutation_depends_on_its_seed_alone():
    assert np.any(permute(PIXELS, 0) != permute(PIXELS, 1))
    x = Preprocess(scale=1.0, permutation_seed=4)(PIXELS)
    np.testing.assert_array_equal(x, permute(PIXELS, 4))


def test_a_source_permutes_the_pixels_of_every_split_alike(tmp_path):
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    for split in ("train", "t10k"):
        write_idx(tmp_path / f"{split}-images", image)
        write_idx(tmp_path / f"{split}-labels", np.zeros(1, "u1"))
    data = Mnist(path=tmp_path, preprocess=Preprocess(permutation_seed=1)).load()
    train, test = (data.prepare(data.split(name))["inputs"] for name in ("train", "test"))
    np.testing.assert_array_equal(train, test)
    assert np.any(np.asarray(train)[0, ..., 0] != image[0] / 255)


def test_statistics():
    mean, std = statistics(np.array([[0, 5], [2, 5]], np.uint8), (0,))
    assert mean == (1.0, 5.0)
    assert std == (1.0, 1.0)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_integers_are_standardised_without_loss(dtype, scale):
    """Seconds since 1970 have more digits than float32."""
    seconds = np.arange(1_700_000_000, 1_700_000_600, dtype=dtype)[:, None]
    wide = seconds.astype(np.float64) * (scale or 1)
    x = Preprocess(scale=scale, mean=(wide.mean(),), std=(wide.std(),))(seconds)
    np.testing.assert_allclose(x, (wide - wide.mean()) / wide.std(), atol=1e-6)


def test_the_farthest_integers_do_not_overflow():
    farthest = np.array([[-(2**31)], [2**31 - 1]], np.int32)
    x = Preprocess(mean=(2.0**30,))(farthest)
    np.testing.assert_allclose(x, farthest.astype(np.float64) - 2**30, rtol=1e-7)


def test_a_constant_is_not_enlarged():
    inputs = np.array([[0.1 + 0.2], [0.3]] * 50)
    assert statistics(inputs, (0,))[1] == (1.0,)
