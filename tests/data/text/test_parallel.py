"""Sentences and their translations."""

import os
from pathlib import Path

import numpy as np
import pytest

from nnjax.data import Bucketed, ParallelText
from nnjax.errors import UserError

GERMAN = "Ein Hund.\nZwei Hunde laufen schnell weg.\nEin Mann.\n"
ENGLISH = "A dog.\nTwo dogs run away.\nA man.\n"


@pytest.fixture
def write(tmp_path):
    def save(stem, source, target):
        (tmp_path / f"{stem}.de").write_text(source, encoding="utf-8")
        (tmp_path / f"{stem}.en").write_text(target, encoding="utf-8")
        return tmp_path / stem

    return save


def test_the_decoder_reads_from_start_and_writes_to_end(write):
    path = write("corpus", GERMAN, ENGLISH)
    data = ParallelText(path, minimum_count=1, test=0, seed=None).load()
    batch = data.split("train")
    english, german = data.target_vocabulary, data.vocabulary
    read, written = batch["inputs"]["target"], batch["targets"]
    assert english.decode(read[0]) == ["<start>", "A", "dog", "."]
    assert english.decode(written[0]) == ["A", "dog", ".", "<end>"]
    assert german.decode(batch["inputs"]["source"][0]) == ["Ein", "Hund", "."]
    assert (german.start, german.end) == (None, None)
    assert data.outputs == len(english)
    # What is written is read one step later.
    inside = read[:, 1:] >= 0
    np.testing.assert_array_equal(read[:, 1:][inside], written[:, :-1][inside])
    np.testing.assert_array_equal((read >= 0).sum(axis=1), (written >= 0).sum(axis=1))
    example = data.example(2)
    assert example["inputs"]["source"].shape == (2, 6)
    assert example["inputs"]["target"].shape == example["targets"].shape == (2, 6)


@pytest.mark.parametrize("header", [("de\n", "en\n"), ("Source\n", "Target\n")])
def test_usual_first_lines_are_no_sentences(write, header):
    path = write("corpus", header[0] + GERMAN, header[1] + ENGLISH)
    data = ParallelText(path, test=0, seed=None)
    assert data.sentences()["train"]["target"].tolist() == ENGLISH.splitlines()


def test_a_table_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "pairs.csv").write_text("de,en\nHund,dog\n")
    with pytest.raises(UserError, match=r"is a table; .*pairs\.de and .*pairs\.en, one sentence"):
        ParallelText(tmp_path / "pairs.csv").load()


def test_a_folder_holds_the_pairs_of_each_split(write, tmp_path):
    write("train", GERMAN, ENGLISH)
    write("val", "Hund.\n", "Dog.\n")
    write(
        "test_2016", "Ein Hund läuft schnell weg und weg und weg und weg.\n", "A dog runs away.\n"
    )
    source = ParallelText(tmp_path, lower_case=True, maximum_length=3, seed=None)
    data = source.load()
    # The long training pair is left out, the long test pair is not; the vocabulary is training's.
    assert {name: data.size(name) for name in data.splits} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    assert data.vocabulary.words == ("<unknown>", ".", "ein")
    assert data.target_vocabulary.words == ("<unknown>", "<start>", "<end>", ".", "a")
    assert (data.split("test")["inputs"]["source"] >= 0).sum() == 12
    assert source.sentences()["test"]["target"].tolist() == ["A dog runs away."]
    write("test_2017", "Hund.\n", "Dog.\n")
    with pytest.raises(UserError, match="several test files, test_2016, test_2017; choose with"):
        source.load()
    data = ParallelText(tmp_path, test_file="test_2017", seed=None).load()
    assert (data.split("test")["inputs"]["source"] >= 0).sum() == 2


def test_the_languages_can_be_turned_round(write):
    path = write("corpus", GERMAN, ENGLISH)
    data = ParallelText(path, "en", "de", minimum_count=1, test=0).load()
    assert "Hund" in data.target_vocabulary.words


@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        ("a\nb\n", "a\n", {}, r"corpus\.de has 2 lines and .*corpus\.en 1"),
        ("a\n\nb\n", "a\nb\nc\n", {}, r"line 2 of .*corpus\.de is empty"),
        ("", "", {}, r"corpus\.de holds no sentences"),
        ("a a a\n", "a\n", {"maximum_length": 2}, "every training pair is longer than"),
        ("a\n", "a\n", {"minimum_count": 2}, "the vocabulary is empty"),
        ("a\n", "a\n", {"target": "fr"}, r"there is no file .*corpus\.fr"),
    ],
)
def test_bad_pairs_are_refused(write, source, target, options, message):
    path = write("corpus", source, target)
    with pytest.raises(UserError, match=message):
        ParallelText(path, test=0, **options).load()


def test_a_folder_without_training_pairs_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no file train\.de"):
        ParallelText(tmp_path).load()


def test_buckets_cut_sources_and_targets(write):
    path = write("corpus", GERMAN, ENGLISH)
    data = ParallelText(path, minimum_count=1, test=0, seed=None, buckets=2).load()
    assert isinstance(data, Bucketed)
    assert data.widths == (4, 6)
    short = next(data.batches("train", 1))
    assert short["inputs"]["source"].shape == short["targets"].shape == (1, 4)


@pytest.mark.skipif("NNJAX_TEST_DATA" not in os.environ, reason="needs real data")
def test_multi30k():
    folder = Path(os.environ["NNJAX_TEST_DATA"]) / "multi30k"
    data = ParallelText(folder, lower_case=True).load()
    assert [data.size(name) for name in data.splits] == [29_000, 1_014, 1_000]
