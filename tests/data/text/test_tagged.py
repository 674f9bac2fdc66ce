"""Sentences with a tag for every word."""

import pytest

from nnjax.data import TaggedText
from nnjax.errors import UserError

TAGGED = "The\tDET\nDog\tNOUN\n\nIt\tPRON\nis\tVERB\nthe\tDET\ndog\tNOUN\n"


@pytest.fixture
def write(tmp_path):
    def save(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return save


def test_words_and_tags_lie_side_by_side(write, tmp_path):
    write("train.txt", TAGGED)
    write("test.txt", "\n\na DET x DET\ncat SP NOUN\n\n\n")
    data = TaggedText(tmp_path, seed=None, lower_case=True).load()
    assert data.classes == ("DET", "NOUN", "PRON", "VERB")
    assert data.outputs == 4
    assert data.target_vocabulary is None
    train = data.split("train")
    assert data.vocabulary.decode(train["inputs"][1]) == ["it", "is", "the", "dog"]
    assert train["targets"].tolist() == [[0, 1, -1, -1], [2, 3, 0, 1]]
    assert train["inputs"].tolist()[0][2:] == [-1, -1]
    assert data.split("test")["targets"].tolist() == [[0, 1, -1, -1]]
    assert data.split("test")["inputs"].tolist() == [[0, 0, -1, -1]]
    example = data.example(2)
    assert example["inputs"].shape == example["targets"].shape == (2, 4)


def test_long_sentences_are_cut(write):
    data = TaggedText(write("a.txt", TAGGED), maximum_length=2, test=0, seed=None).load()
    assert data.split("train")["targets"].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("header", ["word\ttag\n", "Token POS\n\n"])
def test_a_usual_header_is_no_word(write, header):
    data = TaggedText(write("a.txt", header + TAGGED), test=0, seed=None).load()
    assert data.classes == ("DET", "NOUN", "PRON", "VERB")
    assert data.size("train") == 2
    same = TaggedText(write("b.txt", "word tag\nword tag\n"), test=0, seed=None).load()
    assert same.split("train")["targets"].tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("\n\n", {}, "holds no sentences"),
        ("a\tX\nb\n", {}, "line 2 of .* is 'b'; it must be a word, a tab and its tag"),
        ("a\tX\n\tY\n", {}, "line 2 of .* is 'Y'"),
        ("a\tX\nb\t\n", {}, "line 2 of .* is 'b'"),
        ("a\tX\n\nb\tY\n", {"test": 1}, "the tag 'Y' in the test sentences is not in training"),
        ("a\tX\n", {"level": "characters"}, "tags are of words"),
        ("a\tX\n", {"maximum_length": 0}, "at least 1"),
    ],
)
def test_bad_files_are_refused(write, text, options, message):
    with pytest.raises(UserError, match=message):
        TaggedText(write("a.txt", text), seed=None, **{"test": 0, **options}).load()


def test_a_folder_without_training_sentences_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no file train\.txt"):
        TaggedText(tmp_path).load()


def test_a_sentence_is_cut_into_the_words_of_the_file(write):
    """Not at the marks within them: a tag belongs to each."""
    path = write("train.txt", "The DT\nU.S. NNP\nis VBZ\n. .\n")
    vocabulary = TaggedText(path).load().vocabulary
    assert vocabulary.tokeniser.split("The U.S. is .") == ["The", "U.S.", "is", "."]
    assert set(vocabulary.words) == {"<unknown>", "The", "U.S.", "is", "."}
