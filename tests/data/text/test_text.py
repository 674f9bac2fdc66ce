"""Text and recipes for next-word prediction."""

import sysconfig

import numpy as np
import pytest

from nnjax.data import Recipes, Text
from nnjax.errors import UserError

SMALL = {"length": 4, "validation": 0.1, "test": 0}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. The dog sat, too.\n" * 10)
    return path


def test_characters_are_predicted_from_characters(path):
    data = Text(path, **SMALL).load()
    text = path.read_text()
    assert set(data.vocabulary.words) == set(text)
    train = data.split("train")["tokens"]
    assert data.vocabulary.decode_text(train) == text[:378]
    # The held-out text begins with the word before it, from which its first is predicted.
    assert data.vocabulary.decode_text(data.split("validation")["tokens"]) == text[377:]
    assert data.outputs == len(set(text))
    assert data.size("test") == 0


def test_words_can_be_lowered_limited_and_rare_ones_unknown(path):
    data = Text(path, level="words", **SMALL).load()
    assert data.vocabulary.words[:3] == (".", "sat", "the")
    assert "The" in data.vocabulary.words
    lower = Text(path, level="words", lower_case=True, maximum_words=3, **SMALL).load()
    assert lower.vocabulary.words == ("<unknown>", "the", ".")
    assert lower.split("train")["tokens"][:7].tolist() == [1, 0, 0, 0, 1, 0, 2]
    assert len(Text(path, limit=42, **SMALL).load().split("train")["tokens"]) == 38


def test_rare_characters_are_unknown_only_where_some_are(path):
    assert Text(path, minimum_count=10, **SMALL).load().vocabulary.unknown is None
    rare = Text(path, minimum_count=20, **SMALL).load().vocabulary
    assert rare.unknown == 0
    assert "c" not in rare.words


def test_without_a_file_it_is_the_library_s_sources(tmp_path, monkeypatch):
    (tmp_path / "os.py").write_text("import sys\n" * 20)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    data = Text(**SMALL).load()
    assert data.vocabulary.decode_text(data.split("train")["tokens"][:11]) == "import sys\n"


def test_recipes_drop_rare_words_and_predict_the_next(tmp_path):
    path = tmp_path / "recipes.txt"
    path.write_text("Egg-White\n--------\n1/2 cup milk\n" * 5 + "saffron\n")
    data = Recipes(path, length=3, validation=0, test=0).load()
    assert set(data.vocabulary.words) == {"egg", "-", "white", "\n", "--------", "1", "/", "2",
                                          "cup", "milk"}  # fmt: skip
    batch = data.take(data.split("train"), np.arange(2, dtype=np.int32))
    assert data.vocabulary.decode(batch["inputs"][0]) == ["egg", "-", "white"]
    assert data.vocabulary.decode(batch["targets"]) == ["\n", "--------"]
    with pytest.raises(UserError, match="holds no word 50 times"):
        Recipes(path, minimum_count=50).load()


@pytest.mark.parametrize("source", [Text, Recipes])
def test_damaged_and_empty_files_are_refused(tmp_path, source):
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc\xff")
    with pytest.raises(UserError, match="the byte 0xff at offset 3"):
        source(path).load()
    path.write_bytes(b"")
    with pytest.raises(UserError, match="holds no"):
        source(path).load()
    path.write_bytes(b"a b\n" * 10)
    with pytest.raises(UserError, match="words to train on make no window"):
        source(path, length=100).load()
