"""Tables of numbers in text files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.data import Csv
from nnjax.errors import UserError

PLANTS = """\
length, width, kind
5.1, 3.5, setosa
6.2, 2.9, virginica

4.9, 3.0, setosa
"""


@pytest.fixture
def write(tmp_path):
    def save(text, name="table.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return save


def train(source):
    data = source.load()
    return data, data.split("train")


def test_text_in_the_last_column_makes_classes(write):
    data, split = train(Csv(write(PLANTS), test=0, seed=None))
    assert data.classes == ("setosa", "virginica")
    assert split["targets"].tolist() == [0, 1, 0]
    np.testing.assert_allclose(split["inputs"], [[5.1, 3.5], [6.2, 2.9], [4.9, 3.0]], rtol=1e-6)
    assert split["inputs"].dtype == np.float32


def test_numbers_make_a_regression_of_one_or_more_columns(write):
    path = write("a;b;c\n1;2;3\n4;5;6\n")
    data, split = train(Csv(path, delimiter=";", test=0, seed=None))
    assert data.classes is None
    assert split["targets"].tolist() == [3, 6]
    data, split = train(Csv(path, ("c", "a"), delimiter=";", test=0, seed=None))
    assert data.outputs == 2
    assert split["targets"].tolist() == [[3, 1], [6, 4]]
    assert split["inputs"].tolist() == [[2], [5]]


def test_numbers_are_classes_where_asked_for_in_their_own_order(write):
    path = write("x,y\n1,10\n2,9\n3,10\n")
    data, split = train(Csv(path, task="classification", test=0, seed=None))
    assert data.classes == ("9", "10")
    assert split["targets"].tolist() == [1, 0, 1]


def test_the_columns_to_learn_from_can_be_chosen(write):
    path = write("name,x,y\nann,1,2\nbob,3,4\n")
    _, split = train(Csv(path, inputs=("x",), test=0, seed=None))
    assert split["inputs"].tolist() == [[1], [3]]


def test_a_folder_holds_a_file_for_each_split(write, tmp_path):
    write(PLANTS, "train.csv")
    write("length,width,kind\n1,2,virginica\n", "test.csv")
    data = Csv(tmp_path).load()
    assert (data.size("train"), data.size("test")) == (3, 1)
    assert data.split("test")["targets"].tolist() == [1]


@given(
    table=st.lists(
        st.tuples(*[st.floats(-(2**99), 2**99, width=32)] * 3),
        min_size=1,
        max_size=8,
    )
)
def test_written_numbers_are_read_exactly(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_text("\n".join(["a,b,c", *(",".join(map(repr, row)) for row in table)]))
    _, split = train(Csv(path, test=0, seed=None))
    expected = np.array(table, np.float32)
    np.testing.assert_array_equal(split["inputs"], expected[:, :2])
    np.testing.assert_array_equal(split["targets"], expected[:, 2])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "must hold a line with the names of the columns, and rows"),
        ("a,b\n", {}, "and rows"),
        ("1,2\n3,4\n", {}, "first line of .* must name the columns"),
        ("a,a\n3,4\n", {}, "first line of .* must name the columns"),
        ("a,b\n1,2\n3\n", {}, "line 3 of .* has 1 cells for 2 columns"),
        ("a,b\n1,2\nx,4\n", {}, "column 'a' on line 3 of .* is 'x', not a number"),
        ("a,b\n1,2\n\n,4\n", {}, "column 'a' on line 4 of .* is '', not a number"),
        ("a,b\n1,2\nnan,4\n", {}, "'nan', not a number"),
        ("a,b\n1,2\n3,1e40\n", {}, "'1e40', too large for 32 bits; complete or delete that row"),
        ("a,b\n1,2\n", {"targets": ("B",)}, "has no column 'B'"),
        ("length,b\n1,2\n", {"inputs": ("lenght",)}, "did you mean 'length'"),
        ("a\n1\n", {}, "no column beside a to learn from"),
        ("a;b\n1;2\n", {}, r"beside a;b to .* by ','\); .*--data\.delimiter"),
        ("a,b,c\n1,x,y\n", {"targets": ("b", "c")}, "one column of targets, not b, c"),
        ("a,b\n1,x\n", {"task": "regression"}, "column 'b' on line 2"),
        ("a,b\n1,2\n", {"delimiter": ""}, "must be one character"),
    ],
)
def test_bad_tables_are_refused(write, text, options, message):
    with pytest.raises(UserError, match=message):
        Csv(write(text), **options).load()


def test_a_label_that_training_does_not_have_is_refused(write, tmp_path):
    write(PLANTS, "train.csv")
    write("length,width,kind\n1,2,versicolor\n", "test.csv")
    with pytest.raises(UserError, match=r"'versicolor' on line 2 .* none of the classes setosa"):
        Csv(tmp_path).load()


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read as a table: No such file"):
        Csv(tmp_path / "nowhere.csv").load()
    with pytest.raises(UserError, match=r"has no file train\.csv"):
        Csv(tmp_path).load()
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read as a table"):
        Csv(tmp_path / "b.csv").load()


@pytest.mark.parametrize("missing", ["", "NA"])
def test_a_number_that_is_missing_makes_no_class(write, missing):
    path = write(f"a,price\n1,1.5\n2,2.5\n3,{missing}\n4,7.25\n")
    with pytest.raises(
        UserError, match=rf"'price' on line 4 of \S+ is '{missing}', where most are"
    ):
        Csv(path).load()
    chosen = Csv(path, task="classification", test=0)
    if missing:
        assert chosen.load().classes == ("1.5", "2.5", "7.25", "NA")
    else:
        with pytest.raises(UserError, match=r"line 4 of \S+ has no label in column 'price'"):
            chosen.load()


def test_a_comma_at_the_end_of_each_line_names_no_column(write):
    with pytest.raises(
        UserError, match=r"the last column of \S+ has no name; .* take away the ','"
    ):
        Csv(write("a,b,\n1,2,\n3,4,\n")).load()


def test_a_quote_that_is_not_closed_swallows_nothing(write):
    path = write('a,kind\n1,cat\n2,"dog\n3,cat\n4,dog\n')
    with pytest.raises(UserError, match=r"the row on line 3 of \S+ cannot be read: .*; close its"):
        Csv(path).load()


def test_classes_that_are_equal_as_numbers_have_an_order(write):
    rows = "\n".join(f"1,{label}" for label in ("1.0", "0", "1", "0.0", "00"))
    data = Csv(write(f"a,kind\n{rows}\n"), task="classification", test=0).load()
    assert data.classes == ("0", "0.0", "00", "1", "1.0")
