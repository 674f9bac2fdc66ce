"""Npz files that somebody made to do harm: one sentence, and no memory taken."""

import io
import zipfile

import numpy as np
import pytest

from nnjax.data import Npz
from nnjax.errors import UserError

Y = np.array([0, 1, 2, 0, 1, 2])
X = np.eye(6, dtype=np.float32)


def npy(header, data=b""):
    """An array file with a header of one's own."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def stored(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.fixture
def refused(tmp_path):
    """Writes an archive of members whose x is hostile; returns the sentence."""

    def refuse(x, patch=lambda content: content, name="x.npy", compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr(name, x)
            archive.writestr("y.npy", stored(Y))
        path.write_bytes(patch(path.read_bytes()))
        with pytest.raises(UserError) as raised:
            Npz(path).load()
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return refuse


def in_directory(offset, value):
    """Patches the first entry of the archive's directory, and its local header likewise."""

    def patch(content):
        content = bytearray(content)
        entry = content.find(b"PK\x01\x02")
        content[entry + offset] = value
        content[offset - 2] = value
        return bytes(content)

    return patch


def test_encrypted(refused):
    assert "'x' of" in (sentence := refused(stored(X), in_directory(8, 1)))
    assert sentence.endswith("is encrypted; store it without a password")


@pytest.mark.parametrize("method", [9, 12, 14, 99])
def test_other_compression(refused, method):
    sentence = refused(stored(X), in_directory(10, method))
    assert sentence.endswith("is compressed in a way that NumPy does not read; save it anew")


def test_a_member_that_is_no_array(refused):
    assert refused(b"hello", name="x").endswith("is the file x, not an array")
    assert "cannot be read as an npz file of numbers: the magic string" in refused(b"hello world")


@pytest.mark.parametrize("length", [9_000, 60_000])
def test_a_header_of_nested_brackets(refused, length):
    half = length // 2
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {'(' * half}{')' * half}}}"
    assert "cannot be read as an npz file of numbers" in refused(npy(header))


def test_sizes_that_are_not_there(refused):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }"
    assert refused(npy(header)).endswith("is damaged: 0 bytes for an array of 800000000000 bytes")
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 5), }"
    assert "is damaged" in refused(npy(header, bytes(40)))
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999), }"
    assert "cannot be read" in refused(npy(header))


def test_more_than_the_machine_has(refused):
    """The size in the directory of the archive, for which no memory must be taken."""

    def patch(content):
        content = bytearray(content)
        entry = content.find(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = b"\xfe\xff\xff\xff"
        return bytes(content)

    from nnjax.data import checks

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checks.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.get)
        sentence = refused(stored(X), patch)
    assert "takes 4.3 GB in memory, and this machine has 0.0 GB" in sentence


def test_members_that_are_not_wanted_are_not_read(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("other.npy", b"no array")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", stored(np.asfortranarray(X)))
        archive.writestr("y.npy", stored(Y))
    np.testing.assert_array_equal(Npz(path, test=0).load().split("train")["inputs"], X)


def test_a_long_list_of_names_is_shortened(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **{f"array{number:03}": X for number in range(100)})
    with pytest.raises(UserError, match=r"it holds array000, .*array019 and 80 more$"):
        Npz(path).load()
