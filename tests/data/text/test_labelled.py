"""Texts with labels, in tables and folders."""

import pytest

from nnjax.data import LabelledText
from nnjax.errors import UserError

ROWS = '1,"Apple","A ""round"" fruit."\n2,"Oak","A tree, tall."\n1,Pear,A fruit.\n'


@pytest.fixture
def write(tmp_path):
    def save(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return save


def texts(data, split):
    arrays = data.split(split)
    words = [data.vocabulary.decode_text(row) for row in arrays["inputs"]]
    return list(zip(words, [data.classes[one] for one in arrays["targets"]], strict=True))


def test_a_folder_of_tables_with_named_classes(write, tmp_path):
    write("train.csv", ROWS)
    write("test.csv", "2,Elm,A new tree.\n")
    write("classes.txt", "Fruit\nPlant\n")
    data = LabelledText(tmp_path, seed=None).load()
    assert data.classes == ("Fruit", "Plant")
    assert texts(data, "train")[1] == ("Oak A tree, tall.", "Plant")
    assert texts(data, "test") == [("<unknown> A <unknown> tree.", "Plant")]
    assert data.split("train")["inputs"][2].tolist()[-3:] == [-1, -1, -1]
    assert data.outputs == 2
    assert data.example(5)["inputs"].shape == (5, 7)
    assert data.example(5)["inputs"].dtype == "int32"


def test_columns_are_chosen_by_name_or_number(write):
    path = write("a.csv", "id;mood;words\n7;sad;oh no\n8;glad;oh yes\n")
    data = LabelledText(path, "mood", ("words",), ";", test=0, seed=None).load()
    assert texts(data, "train") == [("oh no", "sad"), ("oh yes", "glad")]
    path = write("b.csv", "7,10,oh no\n8,9,oh yes\n")
    data = LabelledText(path, "2", ("3", "1"), test=0, seed=None).load()
    assert data.classes == ("9", "10")
    assert texts(data, "train")[0] == ("oh no 7", "10")


def test_classes_may_be_numbers_or_the_names_listed(write, tmp_path):
    write("train.csv", "Plant,oak\nFruit,pear\n")
    write("classes.txt", "Fruit\nPlant\n")
    data = LabelledText(tmp_path, seed=None, test=0).load()
    assert data.split("train")["targets"].tolist() == [1, 0]


def test_a_folder_for_each_class_and_split(write, tmp_path):
    for name in ("neg/1", "pos/1", "pos/2"):
        write(f"train/{name}.txt", f"it is {name}")
    write("test/neg/1.txt", "it is not\n")
    data = LabelledText(tmp_path, seed=None).load()
    assert texts(data, "train") == [
        ("it is neg/1", "neg"),
        ("it is pos/1", "pos"),
        ("it is pos/2", "pos"),
    ]
    assert texts(data, "test") == [("it is <unknown>", "neg")]
    assert texts(LabelledText(tmp_path / "train", seed=None, test=1).load(), "train")[0][1] == "neg"


def test_a_folder_above_those_of_the_classes_is_warned_of(write, tmp_path, capsys):
    for name in ("neg/1", "pos/1", "pos/2"):
        write(f"reviews/texts/{name}.txt", f"it is {name}")
    assert LabelledText(tmp_path / "reviews", test=1).load().classes == ("texts",)
    assert "every example is of the class 'texts'" in capsys.readouterr().err
    LabelledText(tmp_path / "reviews" / "texts", test=1).load()
    assert "every example" not in capsys.readouterr().err


def test_a_file_for_each_class_with_a_text_a_line(write, tmp_path):
    write("README.md", "about these files")
    write("reviews.neg", "bad .\nworse\n")
    write("reviews.pos", "good\n")
    data = LabelledText(tmp_path, seed=None, test=0).load()
    assert texts(data, "train") == [("bad.", "neg"), ("worse", "neg"), ("good", "pos")]


def test_characters_are_cut_at_the_maximum_length(write):
    path = write("a.csv", "x,abcdef\ny,ab\n")
    data = LabelledText(path, level="characters", maximum_length=4, test=0, seed=None).load()
    assert texts(data, "train") == [("abcd", "x"), ("ab", "y")]


def test_the_vocabulary_is_that_of_the_training_texts_alone(write):
    path = write("a.csv", "x,one two\ny,one three\nx,four five\n")
    data = LabelledText(path, test=1, seed=None, minimum_count=2).load()
    assert data.vocabulary.words == ("<unknown>", "one")
    assert texts(data, "test") == [("<unknown> <unknown>", "x")]


def test_the_seed_mixes_texts_that_lie_class_by_class(write):
    path = write("a.csv", "".join(f"{label},text\n" for label in "a" * 50 + "b" * 50))
    data = LabelledText(path).load()
    assert set(data.split("test")["targets"].tolist()) == {0, 1}


REVIEWS = [("good" if number % 2 else "bad", f"film {number}") for number in range(12)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("label,text", "{0},{1}"),
        ("text,label", "{1},{0}"),
        ("Review,Sentiment", "{1},{0}"),
        ("id,text,label", "7,{1},{0}"),
        ("label,id,text", "{0},7,{1}"),
        ("text,what", "{1},{0}"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_usual_header_names_the_columns(write, header, row, ending):
    lines = "\n".join([header, *(row.format(*one) for one in REVIEWS)])
    path = write(f"reviews.{ending}", lines.replace(",", "\t") if ending == "tsv" else lines)
    data = LabelledText(path, test=0, seed=None).load()
    assert data.classes == ("bad", "good")
    assert texts(data, "train") == [(text, label) for label, text in REVIEWS]


def test_a_header_above_numbers(write):
    rows = "".join(f"{number % 2},film {number}\n" for number in range(12))
    for header in ("label,text\n", "gut,satz\n"):
        assert LabelledText(write("a.csv", header + rows), test=0).load().classes == ("0", "1")


def test_the_header_of_the_training_table_may_be_repeated(write, tmp_path):
    rows = "".join(f"{text},{label}\n" for label, text in REVIEWS)
    write("train.csv", f"text,label\n{rows}")
    write("test.csv", "text,label\nnew film,good\n")
    write("validation.csv", "new film,good\n")
    data = LabelledText(tmp_path).load()
    assert [data.size(name) for name in ("train", "validation", "test")] == [12, 1, 1]


def test_a_class_named_like_a_column_is_a_class(write):
    rows = "question,How are you?\ncomment,It is fine.\nquestion,Who?\ncomment,Me.\n"
    assert LabelledText(write("a.csv", rows), test=0).load().size("train") == 4


def test_a_first_line_that_may_be_a_header_is_warned_of(write, capsys):
    rows = "".join(f"{label},{text}\n" for label, text in REVIEWS)
    assert LabelledText(write("a.csv", "stimmung,satz\n" + rows), test=0).load().size("train") == 13
    assert "where it names the columns, give --data.label 'stimmung'" in capsys.readouterr().err
    assert LabelledText(write("a.csv", rows), test=0).load().size("train") == 12
    assert not capsys.readouterr().err


def test_a_label_of_its_own_for_nearly_every_row_is_refused(write):
    path = write("a.csv", "".join(f"{text},{label}\n" for label, text in REVIEWS))
    with pytest.raises(
        UserError, match=r"has 12 labels in 12 rows, such as 'film 0'.*--data.label"
    ):
        LabelledText(path).load()
    assert LabelledText(path, "2", test=0).load().classes == ("bad", "good")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "holds no rows"),
        ("label;text\n1;a\n", {}, "has one column only"),
        ("label,text\n", {"label": "label"}, "holds no rows"),
        ("1,a\n2\n", {}, "line 2 of .* has 1 cells for 2 columns"),
        ("1,a\n2, \n", {}, "line 2 of .* has the label '2' but no text"),
        ("1,a\n,b\n", {}, "line 2 of .* has no label"),
        ('1,"a\n', {}, "line 1 of .* cannot be read: unexpected end"),
        ("1,a\n", {"label": "3"}, "no column '3'; it has 1, 2"),
        ("label,text\n1,a\n", {"label": "lable"}, "did you mean 'label'"),
        ("1,a\n", {"delimiter": ""}, "must be one character"),
        ("1,a\n", {"maximum_length": 0}, "the maximum length must be at least 1"),
        ("1,a\n", {"minimum_count": 9}, "vocabulary is empty"),
        ("1,a\n", {"buckets": 0}, "number of buckets must be at least 1"),
    ],
)
def test_bad_tables_are_refused(write, text, options, message):
    with pytest.raises(UserError, match=message):
        LabelledText(write("a.csv", text), test=0, **options).load()


def test_a_label_that_is_no_class_is_refused(write, tmp_path):
    write("train.csv", ROWS)
    write("test.csv", "3,Elm,A tree.\n")
    with pytest.raises(UserError, match="the label '3' in the test texts is none of the 2 classes"):
        LabelledText(tmp_path).load()
    write("classes.txt", "Fruit\n")
    with pytest.raises(
        UserError, match="the label '2' in the train texts is none of the 1 classes"
    ):
        LabelledText(tmp_path).load()


def test_bad_folders_are_refused(write, tmp_path):
    with pytest.raises(UserError, match=r"must hold train\.csv, a folder for each class, or files"):
        LabelledText(tmp_path).load()
    write("reviews.neg", "bad\n\nworse")
    write("reviews.pos", "")
    with pytest.raises(UserError, match=r"line 2 of .*reviews\.neg is in class 'neg' but holds no"):
        LabelledText(tmp_path).load()
    write("reviews.neg", "bad")
    with pytest.raises(UserError, match=r"reviews\.pos is in class 'pos' but holds no text"):
        LabelledText(tmp_path).load()
    write("neg/1.txt", " ")
    with pytest.raises(UserError, match=r"1\.txt is in a class but holds no text"):
        LabelledText(tmp_path).load()
    (tmp_path / "neg" / "1.txt").unlink()
    with pytest.raises(UserError, match="neg holds no texts"):
        LabelledText(tmp_path).load()


def test_labels_that_are_equal_as_numbers_have_an_order(write):
    path = write("train.csv", "\n".join(f"{one},text" for one in ("1", "01", "2", "001")))
    assert LabelledText(path=path, validation=0, test=0).load().classes == ("001", "01", "1", "2")


def test_a_class_is_listed_once(write, tmp_path):
    write("train.csv", ROWS)
    write("classes.txt", "fruit\ntree\nfruit\n")
    with pytest.raises(UserError, match="names the class 'fruit' twice"):
        LabelledText(path=tmp_path).load()


def test_a_long_text_fits_into_a_cell(write):
    path = write("train.csv", f"1,{'a ' * 100_000}\n2,b\n")
    data = LabelledText(path=path, validation=0, test=0, maximum_length=5).load()
    assert data.split("train")["inputs"].shape == (2, 5)
