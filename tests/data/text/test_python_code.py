"""Python code, tagged."""

import numpy as np
import pytest

from nnjax.data.text.python_code import KINDS, PythonCode, kinds_of
from nnjax.errors import UserError

CODE = """def f(x):  # half
    return len(x) / 2 + 'a"b'
"""


def spans(text, kind):
    chosen = kinds_of(text) == KINDS.index(kind)
    return "".join(
        letter if here else " " for letter, here in zip(text, chosen, strict=True)
    ).split()


def test_every_character_has_its_kind():
    assert spans(CODE, "keyword") == ["def", "return"]
    assert spans(CODE, "builtin") == ["len"]
    assert spans(CODE, "name") == ["f", "x", "x"]
    assert spans(CODE, "number") == ["2"]
    assert spans(CODE, "string") == ["'a\"b'"]
    assert spans(CODE, "comment") == ["#", "half"]
    assert spans(CODE, "operator") == ["(", "):", "(", ")", "/", "+"]


def test_a_string_over_several_lines_is_one():
    text = 'x = """a\n b\n"""\ny = 1\n'
    assert spans(text, "string") == ['"""a', "b", '"""']


@pytest.mark.parametrize("mark", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_newline_ends_a_line(mark):
    text = f"x = 'a{mark}b'  # one{mark}two\ndef f(): pass\n"
    assert spans(text, "keyword") == ["def", "pass"]
    assert spans(text, "name") == ["x", "f"]


def test_a_form_feed_may_have_a_line_of_its_own():
    assert spans("x = 1\n\f\ndef f(): pass  # hi\n", "keyword") == ["def", "pass"]


def test_pieces_line_up_with_their_kinds(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.py").write_text(CODE.replace("half", f"h{number}"))
    (tmp_path / "broken.py").write_text("def (")
    data = PythonCode(path=tmp_path, length=30, train=6, validation=2, test=2).load()
    assert [data.size(name) for name in ("train", "validation", "test")] == [6, 2, 2]
    split = data.split("train")
    assert split["inputs"].shape == split["targets"].shape == (6, 30)
    np.testing.assert_array_equal(split["inputs"] < 0, split["targets"] < 0)
    assert data.classes == KINDS


def test_too_little_code_is_refused(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    with pytest.raises(UserError, match=r"fewer than asked for; lower --data\.train"):
        PythonCode(path=tmp_path, train=50, validation=0, test=1).load()


def test_the_standard_library_is_there():
    data = PythonCode(train=50, validation=5, test=5).load()
    assert data.size("train") == 50
    present = data.split("train")["targets"]
    assert len(np.unique(present[present >= 0])) >= 6


def test_a_folder_without_code_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"is no folder with files \*\.py; give one with"):
            PythonCode(path=folder).load()


def test_a_file_says_its_own_encoding(tmp_path):
    latin = '# -*- coding: latin-1 -*-\nname = "café"\n'
    (tmp_path / "a.py").write_bytes(latin.encode("latin-1"))
    (tmp_path / "b.py").write_bytes(b"name = '\xff'\n")  # Python cannot read it either.
    sizes = {"train": 3, "validation": 0, "test": 0}
    data = PythonCode(path=tmp_path, length=8, minimum_count=1, **sizes).load()
    words = data.vocabulary.decode(np.concatenate(data.split("train")["inputs"]))
    assert "".join(words) == latin[:24]
