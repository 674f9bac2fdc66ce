"""Sets of TensorFlow Datasets: which features, and what is said where there is no set."""

import builtins
import socket
import sys

import numpy as np
import pytest

from nnjax.data import Dataset, Tfds, import_folder
from nnjax.data.records import collect
from nnjax.data.tfds import TfdsRecords
from nnjax.errors import UserError

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A folder of sets with one of four grey images in two classes."""
    folder = tmp_path_factory.mktemp("sets")
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 3, 2)
    np.savez(folder / "data.npz", inputs=images, targets=np.array([0, 1, 1, 0]))
    import_folder("mine", folder / "data.npz", folder)
    return folder


def test_features_by_name(sets):
    data = Tfds("mine", sets, inputs="image", targets="label", test=0).load()
    assert isinstance(data, Dataset)
    assert data.classes == ("0", "1")
    assert data.split("train")["targets"].tolist() == [0, 1, 1, 0]
    assert data.split("train")["inputs"].shape == (4, 3, 2, 1)


def test_images_in_other_sizes_and_colours(sets):
    assert Tfds("mine", sets, size=(7, 5), channels=3).load().stored["inputs"].shape == (7, 5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": "imag"}, r"no feature 'imag', did you mean 'image'.*--data\.inputs"),
        ({"targets": "class"}, r"no feature 'class'.*choose one of image, label"),
        ({"inputs": "label", "size": (2, 2)}, "size and channels are for images"),
        ({"train": 5}, "train=5 asks for more"),
    ],
)
def test_options_that_do_not_fit_are_refused(sets, options, message):
    with pytest.raises(UserError, match=message) as error:
        Tfds("mine", sets, **options).load()
    assert "\n" not in str(error.value)


def records(targets, classes):
    source = [{"x": np.zeros(2, np.float32), "y": target} for target in targets]
    return TfdsRecords(source, "x", "y", np.asarray, classes, "'test' of tfds:mine")


def test_targets_are_classes_sequences_of_them_or_numbers():
    labels = collect(records([2, False, np.int64(1)], 3))["targets"]
    assert (labels.tolist(), labels.dtype) == ([2, 0, 1], np.int32)
    assert collect(records([[2, -1], [0, 1]], 3))["targets"].tolist() == [[2, -1], [0, 1]]
    numbers = collect(records([2**31, 0.5], None))["targets"]
    assert (numbers.tolist(), numbers.dtype) == ([2**31, 0.5], np.float32)


@pytest.mark.parametrize(
    ("target", "classes", "message"),
    [
        (-1, 3, "label -1 of example 1 in 'test' of tfds:mine is outside .*--data.test 0"),
        (7, 3, "label 7 of example 1 in 'test' of tfds:mine is outside the classes"),
        (np.nan, None, "the target of example 1 in 'test' of tfds:mine holds nan; it must be"),
        (1e39, None, "the target of example 1 in 'test' of tfds:mine holds 1e"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, classes, message):
    with pytest.raises(UserError, match=message):
        collect(records([0, target], classes))


def test_an_unknown_set_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UserError, match=r"no TFDS set 'mnits'.*did you mean 'mnist'") as error:
        Tfds("mnits", tmp_path).load()
    assert "\n" not in str(error.value)


@pytest.fixture
def direct(monkeypatch):
    """A machine without a proxy, whatever the environment says."""
    monkeypatch.setattr("urllib.request.getproxies", dict)


def test_an_offline_machine_is_told_at_once(tmp_path, monkeypatch, direct):
    def no_network(*arguments):
        raise socket.gaierror("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(
        UserError, match=r"tfds:mnist is not prepared in .* go online once"
    ) as error:
        Tfds("mnist", tmp_path).load()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("refused.\nmore"), r"cannot be prepared \(refused\); go online once"),
        (ImportError("Failed to import TensorFlow"), r"'nnjax\[tfds\]' tensorflow"),
    ],
)
def test_a_set_that_cannot_be_prepared(tmp_path, monkeypatch, direct, error, message):
    def fail(self, **options):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: [])
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError, match=message) as refused:
        Tfds("mnist", tmp_path).load()
    assert "\n" not in str(refused.value)


def test_without_tfds_the_extra_is_named(monkeypatch):
    def no_tfds(name, *arguments):
        if name.startswith("tensorflow_datasets"):
            raise ImportError(f"No module named '{name}'")
        return import_(name, *arguments)

    import_ = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_tfds)
    monkeypatch.delitem(sys.modules, "tensorflow_datasets")
    with pytest.raises(UserError, match=r"pip install 'nnjax\[tfds\]'"):
        Tfds("mnist").load()
