"""The idx format, and folders of its files."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nnjax.data import Idx, Mnist
from nnjax.data.images.idx import TYPES, read_header, read_idx, write_idx
from nnjax.errors import UserError

DTYPES = [dtype.newbyteorder("=") for dtype in TYPES.values()]
SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)


@given(
    array=st.sampled_from(DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)),
    packed=st.booleans(),
)
def test_round_trip(tmp_path_factory, array, packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    write_idx(path, array)
    again = read_idx(path)
    np.testing.assert_array_equal(again, array)
    assert again.dtype == array.dtype
    assert read_header(path)[1] == array.shape


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "a"
    write_idx(path, np.array([[1, -2]], np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000002 0001 fffe")


@pytest.fixture
def folder(tmp_path):
    """Six training and two test images in three classes; the test files are packed."""
    write_idx(tmp_path / "train-images-idx3-ubyte", np.arange(6 * 20, dtype="u1").reshape(6, 5, 4))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([0, 1, 2, 0, 1, 2], "u1"))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", np.zeros((2, 5, 4), "u1"))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.array([2, 0], "u1"))
    return tmp_path


@pytest.mark.parametrize("source", [Idx, lambda path: Mnist(path=path)])
def test_a_folder_tells_sizes_and_classes(folder, source):
    data = source(folder).load()
    assert data.classes == ("0", "1", "2")
    assert (data.size("train"), data.size("test")) == (6, 2)
    train = data.split("train")
    assert train["inputs"].shape == (6, 5, 4, 1)
    assert train["inputs"].dtype == np.uint8
    assert train["targets"].tolist() == [0, 1, 2, 0, 1, 2]
    assert data.split("test")["targets"].tolist() == [2, 0]


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 7), (6, 5, 4, 3)])
def test_specification_agrees_with_the_data(folder, shape):
    write_idx(folder / "train-images-idx3-ubyte", np.zeros(shape, "u1"))
    for split in ("images-idx3", "labels-idx1"):
        (folder / f"t10k-{split}-ubyte.gz").unlink()
    source = Idx(folder, validation=1)
    data, spec = source.load(), source.spec()
    assert data.stored == spec.stored
    assert data.classes == spec.classes
    assert all(data.size(name) == spec.size(name) for name in ("train", "validation", "test"))


def test_an_unpacked_file_is_preferred(folder):
    packed = folder / "train-labels-idx1-ubyte.gz"
    write_idx(packed, np.zeros(6, "u1"))
    assert Idx(folder).load().split("train")["targets"].tolist() == [0, 1, 2, 0, 1, 2]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def spoil(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 0xFF
    path.write_bytes(data)


def too_long(path):
    path.write_bytes(path.read_bytes() + b"\0")


def huge_header(path):
    path.write_bytes(bytes.fromhex("00000803") + b"\xff" * 12)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte", lambda path: path.unlink(), "has no idx file train-images"),
        ("train-images-idx3-ubyte", truncate, "is truncated"),
        ("train-images-idx3-ubyte", too_long, "is damaged: it goes on"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(b""), "is not an idx file"),
        ("train-images-idx3-ubyte", lambda path: path.write_bytes(b"GIF8"), "is not an idx file"),
        ("train-images-idx3-ubyte", lambda p: p.write_bytes(b"\0\0\x08\3\0"), "its header"),
        ("train-images-idx3-ubyte", huge_header, "is damaged|is truncated"),
        ("train-labels-idx1-ubyte", lambda p: write_idx(p, np.zeros(5, "u1")), "6 images and"),
        ("train-labels-idx1-ubyte", lambda p: write_idx(p, np.zeros(0, "u1")), "no labels"),
        ("train-labels-idx1-ubyte", lambda p: write_idx(p, np.zeros((6, 2), "u1")), "one integer"),
        ("train-labels-idx1-ubyte", lambda p: write_idx(p, np.zeros(6, "f4")), "must be integers"),
        ("train-labels-idx1-ubyte", lambda p: write_idx(p, -np.ones(6, "i1")), "label -1 of exam"),
        ("t10k-labels-idx1-ubyte.gz", lambda p: write_idx(p, np.array([0, 3], "u1")), "label 3 of"),
        ("t10k-labels-idx1-ubyte.gz", lambda path: path.unlink(), "has no idx file t10k-labels"),
        ("t10k-images-idx3-ubyte.gz", truncate, "is truncated or damaged"),
        ("t10k-images-idx3-ubyte.gz", spoil, "is truncated or damaged"),
        ("t10k-images-idx3-ubyte.gz", lambda p: write_idx(p, np.zeros((2, 5, 5), "u1")), "split"),
    ],
)
def test_a_bad_folder_is_refused_in_one_sentence(folder, name, damage, message):
    damage(folder / name)
    with pytest.raises(UserError, match=message) as error:
        Idx(folder).load()
    assert "\n" not in str(error.value)


def test_a_spoiled_packed_file_is_refused_wherever_the_damage_is(folder):
    path = folder / "t10k-images-idx3-ubyte.gz"
    write_idx(path, np.random.default_rng(0).integers(0, 256, (2, 5, 4), np.uint8))
    whole = path.read_bytes()
    # What comes before is the header of the packed file, its name among it.
    for place in range(whole.index(b"\0", 10) + 1, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        # The last bytes hold the checksum, so that no change goes unnoticed.
        with pytest.raises(UserError):
            Idx(folder).load()


def test_two_files_for_one_split_are_refused(folder):
    with gzip.open(folder / "test-images.gz", "wb") as file:
        file.write(b"")
    with pytest.raises(UserError, match="more than one file of t10k-images"):
        Idx(folder).load()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        Idx(tmp_path / "nowhere").load()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("00000864" + "00000001" * 100, "its header speaks of 100 dimensions"),
        ("00000802" + "ffffffff" * 2, "is truncated: fewer than the 18446744065119617025 bytes"),
        ("00000803" + "00000000" + "ffffffff" * 2, "its header speaks of (0, 4294967295"),
    ],
)
def test_headers_that_ask_for_too_much(tmp_path, content, sentence):
    path = tmp_path / "a"
    path.write_bytes(bytes.fromhex(content))
    with pytest.raises(UserError) as raised:
        read_idx(path)
    assert sentence in str(raised.value)
