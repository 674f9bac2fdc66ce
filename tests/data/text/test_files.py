"""Text in files."""

import os
import sysconfig

import pytest

from nnjax.data import LabelledText, ParallelText, PythonCode, Recipes, TaggedText, Text
from nnjax.data.text.files import library_text, read_lines, read_text, read_texts
from nnjax.errors import UserError


def test_line_ends_become_newlines_and_the_byte_order_mark_goes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthr\xc3\xa9e\n")
    assert read_text(path) == "one\ntwo\nthrée\n"
    path.write_bytes(b"a \n\n b\x85c\n\n")
    assert read_lines(path, "latin-1") == ["a", "", "b\x85c"]
    path.write_bytes(b"\n")
    assert read_lines(path) == []


def test_a_byte_that_is_no_text_is_named_with_its_place(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9 au lait")
    with pytest.raises(UserError, match=r"a\.txt is not text in utf-8: the byte 0xe9 at offset 3"):
        read_text(path)
    assert read_text(path, "latin-1") == "café au lait"
    path.write_bytes(b"ab\0c")
    with pytest.raises(UserError, match="is not text: character 2 is a zero"):
        read_text(path)


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*nowhere"):
        read_text(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
    (tmp_path / "a.txt").write_text(" \n")
    with pytest.raises(UserError, match="no encoding 'utf-9'"):
        read_text(tmp_path / "a.txt", "utf-9")
    with pytest.raises(UserError, match="holds no text"):
        read_texts(tmp_path / "a.txt", "*.txt")
    with pytest.raises(UserError, match=r"holds no files \*\.md; give a pattern"):
        read_texts(tmp_path, "*.md")


@pytest.mark.parametrize("encoding", ["undefined", "utf\0", "hex", ""])
def test_an_encoding_that_is_none_of_text_is_one_sentence(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes(b"\xff.")
    with pytest.raises(UserError, match="no encoding") as raised:
        read_text(tmp_path / "a.txt", encoding)
    assert "\0" not in str(raised.value)


def code(path):
    return PythonCode(path=path)


SOURCES = [Text, Recipes, LabelledText, TaggedText, ParallelText, code]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b", "character zero|no folder with files"),
        ("a" * 300, "File name too long|no folder with files"),
    ],
)
def test_a_path_that_cannot_be_is_one_sentence(tmp_path, source, name, message):
    with pytest.raises(UserError, match=message):
        source(tmp_path / name).load()


@pytest.mark.parametrize("source", SOURCES[:4])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, source):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UserError, match=r"pipe\.csv is a pipe or a device, not a file"):
        source(tmp_path / "pipe.csv").load()


def test_the_files_of_a_folder_follow_in_order_of_their_names(tmp_path):
    (tmp_path / "sub").mkdir()
    for name, text in {"b.txt": "B", "a.txt": "A", "sub/c.txt": "C", "d.md": "D"}.items():
        (tmp_path / name).write_text(text)
    assert read_texts(tmp_path, "*.txt") == "A\nB\nC"
    assert read_texts(tmp_path, "*.md") == "D"


def test_the_library_s_sources_are_a_text_on_every_machine(tmp_path, monkeypatch):
    for name in ("json/decoder.py", "os.py", "test/test_os.py", "site-packages/other.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name}\n")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert sorted(library_text().splitlines()) == ["# json/decoder.py", "# os.py"]
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="has no source files; give a text"):
        library_text()


def test_files_that_end_in_no_newline_run_into_no_other(tmp_path):
    for name, text in {"a.txt": "hello big", "b.txt": "world\n", "c.txt": "hello"}.items():
        (tmp_path / name).write_text(text)
    assert read_texts(tmp_path, "*.txt") == "hello big\nworld\nhello"
    with pytest.raises(UserError, match=r"'/x/\*\.txt' is no pattern of files in .*; give one"):
        read_texts(tmp_path, "/x/*.txt")
