"""Random shifts, flips and crops, and the fivefold expansion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import Augment
from nnjax.data.augmentation import expand_shifts, random_flip, random_turn, random_window, turn
from nnjax.errors import UserError

IMAGES = np.random.default_rng(0).integers(1, 256, (6, 5, 4, 3), np.uint8)


def windows(image, margin, mode):
    """Every window of the padded image."""
    padded = np.pad(image, [(margin, margin)] * 2 + [(0, 0)] * (image.ndim - 2), mode=mode)
    height, width = image.shape[:2]
    steps = range(2 * margin + 1)
    return [padded[i : i + height, j : j + width] for i in steps for j in steps]


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), margin=st.integers(1, 3), mode=st.sampled_from(["constant"]))
def test_each_image_is_one_of_the_windows(seed, margin, mode):
    shifted = random_window(jax.random.key(seed), jnp.asarray(IMAGES), margin, mode)
    assert shifted.dtype == IMAGES.dtype
    for image, result in zip(IMAGES, np.asarray(shifted), strict=True):
        assert any(np.array_equal(result, window) for window in windows(image, margin, mode))


def test_a_crop_fills_up_with_mirrored_pixels():
    cropped = np.asarray(Augment(crop=2)(jax.random.key(1), jnp.asarray(IMAGES)))
    for image, result in zip(IMAGES, cropped, strict=True):
        assert any(np.array_equal(result, window) for window in windows(image, 2, "reflect"))


def test_every_window_comes_about_equally_often():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    count = 9000
    shifted = random_window(jax.random.key(0), jnp.tile(image, (count, 1, 1)), 1, "constant")
    counts = [
        np.sum(np.all(np.asarray(shifted) == window, axis=(1, 2)))
        for window in windows(image[0], 1, "constant")
    ]
    assert sum(counts) == count
    # Nine windows, 1000 expected of each with standard deviation 30.
    assert max(abs(np.array(counts) - count / 9)) < 150


def test_flips_mirror_about_half_of_the_images():
    images = jnp.tile(jnp.arange(4)[None, None], (2000, 2, 1))
    flipped = np.asarray(random_flip(jax.random.key(0), images))
    mirrored = flipped[:, 0, 0] == 3
    np.testing.assert_array_equal(
        flipped[mirrored][:, 1], np.tile([3, 2, 1, 0], (mirrored.sum(), 1))
    )
    np.testing.assert_array_equal(flipped[~mirrored], np.asarray(images)[~mirrored])
    # Standard deviation 22.
    assert abs(mirrored.sum() - 1000) < 110


def test_a_quarter_turn_is_anticlockwise():
    square = IMAGES[0, :4, :4]
    for image in (square, square[..., 0], square.astype(np.float32)):
        turned = turn(jnp.asarray(image), jnp.pi / 2, 1.0)
        assert turned.dtype == image.dtype
        np.testing.assert_allclose(turned, np.rot90(image), atol=1e-4)


def test_enlarging_interpolates_about_the_centre():
    row = jnp.asarray([[0.0, 4.0, 8.0, 12.0, 16.0]])
    np.testing.assert_allclose(turn(row, 0.0, 2.0), [[4, 6, 8, 10, 12]])
    np.testing.assert_allclose(turn(row, 0.0, 0.5), [[0, 0, 8, 16, 0]])


def test_each_image_is_turned_by_its_own_angle_within_the_bounds():
    # A bright pixel 20 to the right of the centre tells angle and factor by where it goes.
    side, count = 61, 300
    images = np.zeros((count, side, side), np.float32)
    images[:, 29:32, 49:52] = 1
    turned = np.asarray(random_turn(jax.random.key(0), jnp.asarray(images), 15.0, 0.1))
    y, x = np.mgrid[:side, :side] - 30.0
    weight = turned.sum((1, 2))
    up, right = -(turned * y).sum((1, 2)) / weight, (turned * x).sum((1, 2)) / weight
    angles, radii = np.rad2deg(np.arctan2(up, right)), np.hypot(up, right)
    assert -15.1 < angles.min() < -14
    assert 14 < angles.max() < 15.1
    assert 17.9 < radii.min() < 18.2
    assert 21.8 < radii.max() < 22.1


def test_nothing_turned_is_nothing_changed():
    np.testing.assert_array_equal(
        random_turn(jax.random.key(0), jnp.asarray(IMAGES), 0.0, 0.0), IMAGES
    )


def test_the_key_decides():
    augment = Augment(shift=1, flip=True, crop=1, rotate=20, zoom=0.2)
    once, again = (augment(jax.random.key(2), jnp.asarray(IMAGES)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert np.any(np.asarray(augment(jax.random.key(3), jnp.asarray(IMAGES))) != np.asarray(once))


def test_with_nothing_to_do_any_inputs_pass():
    inputs = np.ones((3, 2))
    assert Augment()(jax.random.key(0), inputs) is inputs


@pytest.mark.parametrize(
    ("augment", "shape", "message"),
    [
        (lambda: Augment(crop=1.5), (), "crop must be 0 or more whole pixels, not 1.5"),
        (lambda: Augment(shift=-1), (), "shift must be 0 or more whole pixels, not -1"),
        (lambda: Augment(rotate=-5), (), "rotation in degrees must be at least 0, not -5"),
        (lambda: Augment(zoom=1), (), "zoom must be below 1, not 1"),
        (lambda: Augment(flip=True), (2, 3), "augmentation needs images"),
        (lambda: Augment(rotate=5), (2, 3), "augmentation needs images"),
        (lambda: Augment(crop=4), (2, 5, 4, 3), "crop=4 is too large for 5x4 images"),
    ],
)
def test_impossible_changes_are_refused(augment, shape, message):
    with pytest.raises(UserError, match=message):
        augment()(jax.random.key(0), jnp.zeros(shape))


def test_expansion_shifts_by_one_pixel_in_four_directions():
    image = np.array([[[1, 2], [3, 4]]], np.uint8)
    expanded = expand_shifts(image)
    assert expanded.dtype == np.uint8
    assert expanded.tolist() == [
        [[1, 2], [3, 4]],
        [[3, 4], [0, 0]],
        [[0, 0], [1, 2]],
        [[2, 0], [4, 0]],
        [[0, 1], [0, 3]],
    ]


def test_expansion_keeps_the_order_of_the_examples():
    expanded = expand_shifts(IMAGES)
    np.testing.assert_array_equal(expanded[:6], IMAGES)
    np.testing.assert_array_equal(expanded[6:12, :-1], IMAGES[:, 1:])
    assert expanded.shape == (30, 5, 4, 3)
