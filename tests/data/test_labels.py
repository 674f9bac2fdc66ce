"""Class labels and numbers as JAX holds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data.labels import check_labels, convert, count_classes, narrow, numbered
from nnjax.errors import UserError


@given(labels=st.lists(st.integers(-3, 12), min_size=1, max_size=20), classes=st.integers(1, 10))
def test_labels_are_kept_or_refused(labels, classes):
    array = np.array(labels)
    if all(0 <= label < classes for label in labels):
        checked = check_labels(array, classes, "here")
        assert checked.tolist() == labels
        assert checked.dtype == np.int32
    else:
        with pytest.raises(UserError, match=f"in here is outside the classes 0 to {classes - 1}"):
            check_labels(array, classes, "here")


def test_the_message_names_the_first_bad_label_and_its_place():
    with pytest.raises(UserError, match="label 7 of example 1 in file"):
        check_labels(np.array([0, 7, 8]), 3, "file")


def test_classes_are_counted_and_numbered():
    assert count_classes(np.array([0, 4, 2], np.uint8), "file") == 5
    assert numbered(3) == ("0", "1", "2")


def test_as_many_classes_as_there_may_be():
    assert count_classes(np.array([99_999]), "file") == 100_000
    assert count_classes(np.repeat(np.arange(200_001), 2), "file") == 200_001


def test_labels_that_nearly_all_differ_are_refused():
    with pytest.raises(UserError, match="file has 11 different numbers in 20 examples, too many"):
        count_classes(np.append(np.arange(11), np.zeros(9, int)), "file")
    assert count_classes(np.repeat(np.arange(10), 2), "file") == 10


@pytest.mark.parametrize("label", [100_000, 39_000_000_000])
def test_labels_too_large_to_count_classes_are_refused(label):
    with pytest.raises(UserError, match=f"label {label} in file would make .* of 2 labels; number"):
        count_classes(np.array([0, label]), "file")


@pytest.mark.parametrize(
    ("given_", "dtype"),
    [
        (np.float64, np.float32),
        (np.float16, np.float16),
        (np.int64, np.int32),
        (np.uint64, np.uint32),
        (np.uint8, np.uint8),
        (np.bool_, np.uint8),
        (">f4", np.float32),
    ],
)
def test_narrow(given_, dtype):
    narrowed = narrow(np.array([0, 1], given_), "x")
    assert narrowed.dtype == dtype
    assert narrowed.tolist() == [0, 1]


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array([None])])
def test_what_is_no_number_is_refused(array):
    with pytest.raises(UserError, match=r"x is .*; it must hold real numbers"):
        narrow(array, "x")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[5], [2**31]]), r"x holds 2147483648 at \[1, 0\]; .* that int32 can hold"),
        (np.array([-(2**31) - 1]), "x holds -2147483649 at"),
        (np.array([2**32], np.uint64), "x holds 4294967296 at .* that uint32 can hold"),
        (np.array([0, 1e39]), r"x holds 1e\+39 at \[1\]; .* that float32 can hold"),
        (np.array([np.nan], np.float16), "x holds nan at .* that float16 can hold"),
        (np.array([0, -np.inf], np.float32), r"x holds -inf at \[1\]"),
        (np.array(np.nan), "x holds nan; it must be a finite number"),
    ],
)
def test_no_number_changes_without_a_word(array, message):
    with pytest.raises(UserError, match=message):
        narrow(array, "x")


@pytest.mark.parametrize("array", [np.array([-(2**31), 2**31 - 1]), np.zeros((0, 2))])
def test_what_fits_is_kept(array):
    assert narrow(array, "x").tolist() == array.tolist()


def test_large_whole_numbers_can_be_float32():
    converted = convert(np.array([2**31, 2**63], np.uint64), np.float32, "y")
    assert converted.dtype == np.float32
    assert converted.tolist() == [2**31, 2**63]
