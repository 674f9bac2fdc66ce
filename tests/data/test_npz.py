"""Arrays in npz files."""

import dataclasses

import numpy as np
import pytest

from nnjax.data import Npz, Preprocess
from nnjax.errors import UserError

X = np.arange(6 * 4, dtype=np.float64).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


@pytest.mark.parametrize("names", [("inputs", "targets"), ("x_train", "y_train"), ("x", "y")])
def test_arrays_by_name(save, names):
    path = save(**dict(zip(names, (X, Y), strict=True)))
    data = Npz(path, test=0).load()
    np.testing.assert_array_equal(data.split("train")["inputs"], X)
    assert data.split("train")["inputs"].dtype == np.float32
    assert data.split("train")["targets"].tolist() == Y.tolist()
    assert data.classes == ("0", "1", "2")


def test_stored_splits_class_names_and_a_channel_for_grey_images(save):
    images = np.zeros((6, 5, 4), np.uint8)
    names = np.array(["cat", "dog", "cow"])
    path = save(
        x_train=images,
        y_train=Y[:, None],
        x_val=images[:3],
        y_val=Y[:3],
        x_test=images[:2],
        y_test=Y[:2],
        class_names=names,
    )
    data = Npz(path).load()
    assert data.classes == ("cat", "dog", "cow")
    assert [data.size(name) for name in ("train", "validation", "test")] == [6, 3, 2]
    assert data.split("train")["inputs"].shape == (6, 5, 4, 1)
    assert data.split("train")["targets"].shape == (6,)


@pytest.mark.parametrize(
    ("targets", "options", "outputs"),
    [
        (Y / 2, {}, 1),
        (X[:, :3], {}, 3),
        (Y, {"regression": True}, 1),
        (Y * 2**31, {"regression": True}, 1),
    ],
)
def test_regressions(save, targets, options, outputs):
    data = Npz(save(x=X, y=targets), test=0, **options).load()
    assert data.classes is None
    assert data.outputs == outputs
    np.testing.assert_array_equal(data.split("train")["targets"], targets.astype(np.float32))
    assert data.split("train")["targets"].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": X}, {}, "must hold the arrays inputs and targets.*it holds a"),
        ({"x": X, "y": Y[:5]}, {}, "differ in length"),
        ({"x": X, "y": Y}, {"classes": 2}, "label 2 of example 2 in 'y' of"),
        ({"x": X, "y": Y - 1}, {}, "label -1 of example 0"),
        ({"x": X, "y": np.eye(3, dtype=int)[Y]}, {}, "class labels are one integer an example"),
        ({"x": X, "y": np.array(list("abcabc"))}, {}, "class labels must be integers"),
        ({"x": np.array(list("abcabc")), "y": Y}, {}, "must hold real numbers"),
        ({"x": X, "y": Y, "class_names": np.array(["a"])}, {"classes": 3}, "names 1"),
        ({"x": np.array([None] * 6), "y": Y}, {}, "cannot be read as an npz file of numbers"),
        ({"x": X.astype(np.int64) + 2**40, "y": Y}, {}, "'x' of .* holds 1099511627776 at"),
        ({"x": np.where(X == 5, np.nan, X), "y": Y}, {}, r"'x' of .* holds nan at \[1, 1\]"),
        ({"x": X, "y": Y * 10**10}, {}, r"label 20000000000 in 'y' of .*--data\.regression"),
        ({"x": X, "y": Y * 1e39}, {}, r"'y' of .* holds 1e\+39 at"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, {}, "split 'test' has examples"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(save, arrays, options, message):
    with pytest.raises(UserError, match=message):
        Npz(save(**arrays), **options).load()


def test_missing_truncated_and_other_files_are_refused(save, tmp_path):
    path = save(x=X, y=Y)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="cannot be read as an npz file"):
        Npz(path).load()
    with pytest.raises(UserError, match="there is no file"):
        Npz(tmp_path / "nowhere.npz").load()
    np.save(tmp_path / "single.npy", X)
    with pytest.raises(UserError, match="a single array"):
        Npz(tmp_path / "single.npy").load()


def test_what_is_no_array_of_examples_is_refused(save):
    with pytest.raises(UserError, match=r"'x' of \S+ is a single number"):
        Npz(save(x=np.float32(3), y=np.array([1]))).load()


def test_labels_of_classes_are_integers(save):
    path = save(x=X, y=Y.astype(float))
    assert Npz(path, test=0).load().classes is None
    with pytest.raises(UserError, match=r"'y' of \S+ is float64, but the labels of classes must"):
        Npz(path, classes=3).load()


def test_names_of_classes_are_text_and_differ(save):
    names = np.array([b"cat", b"dog", "k\u00e4fer".encode()])
    assert Npz(save(x=X, y=Y, class_names=names), test=0).load().classes == ("cat", "dog", "käfer")
    with pytest.raises(UserError, match="names the class 'cat' twice"):
        Npz(save(x=X, y=Y, class_names=np.array(["cat", "cat", "dog"]))).load()


def test_large_numbers_of_64_bits_are_standardised_without_loss(save):
    milliseconds = 1_700_000_000_000 + 100.0 * np.arange(40)[:, None]
    source = Npz(save(x=milliseconds, y=np.arange(40) % 2), standardise=True, test=0)
    data = source.load()
    x = np.asarray(data.prepare(data.split("train"))["inputs"])
    expected = (milliseconds - milliseconds.mean()) / milliseconds.std()
    np.testing.assert_allclose(x, expected, atol=1e-6)
    assert data.stored["inputs"].dtype == np.float32
    with pytest.raises(UserError, match="32 bits cannot tell apart; standardise them with"):
        dataclasses.replace(source, standardise=False).load()
    known = dataclasses.replace(
        source, standardise=False, preprocess=Preprocess(offset=(1_700_000_000_000.0,))
    ).load()
    np.testing.assert_array_equal(known.split("train")["inputs"][:2], [[0], [100]])


def test_integers_that_nearly_all_differ_are_no_classes(save):
    prices = np.arange(100, 160)
    with pytest.raises(UserError, match=r"60 different numbers in 60 .* with --data\.regression"):
        Npz(save(x=np.zeros((60, 2)), y=prices)).load()
    assert Npz(save(x=np.zeros((60, 2)), y=prices), regression=True).load().classes is None


def test_the_test_fifth_of_sorted_arrays_holds_every_class(save):
    x = np.random.default_rng(0).normal(size=(100, 2))
    data = Npz(save(x=x, y=np.repeat([0, 1], 50))).load()
    assert set(data.split("test")["targets"]) == {0, 1}
