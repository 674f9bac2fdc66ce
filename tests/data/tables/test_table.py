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


# Digits, row numbers, numbers for people, first lines ---------------------------------------------


def column_of(numbers):
    rows = "".join(f"{number!r},{'ab'[place % 2]}\n" for place, number in enumerate(numbers))
    return f"t,kind\n{rows}"


@pytest.mark.parametrize(
    ("start", "step"), [(1_700_000_000_000, 100), (1_700_000_000, 1), (101325, 0.001)]
)
def test_a_standardised_column_keeps_the_digits_that_32_bits_would_lose(write, start, step):
    numbers = [start + place * step for place in range(100)]
    data, split = train(Csv(write(column_of(numbers)), standardise=True, test=0, seed=None))
    standardised = np.asarray(data.prepare(split)["inputs"])[:, 0]
    wide = np.array(numbers, np.float64)
    np.testing.assert_allclose(standardised, (wide - wide.mean()) / wide.std(), atol=1e-5)
    assert split["inputs"].dtype == np.float32
    (offset,) = data.preprocess.offset
    assert offset == pytest.approx(wide.mean())


def test_ordinary_columns_are_stored_as_they_are(write):
    data, split = train(Csv(write(PLANTS), standardise=True, test=0, seed=None))
    assert data.preprocess.offset == ()
    np.testing.assert_allclose(data.preprocess.mean, [5.4, 9.4 / 3])
    np.testing.assert_array_equal(split["inputs"][:, 0], np.float32([5.1, 6.2, 4.9]))


def test_a_constant_column_stays_constant(write):
    text = "a,b,kind\n" + "".join(f"{0.1 + 0.2!r},{x},k{x % 2}\n0.3,{x},k1\n" for x in range(9))
    data, split = train(Csv(write(text), standardise=True, test=0))
    assert np.abs(data.prepare(split)["inputs"][:, 0]).max() < 1e-6


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            column_of([1_700_000_000_000 + 100 * place for place in range(20)]),
            {},
            r"'t' of .* holds 20 different numbers about 1\.7e\+12, of which 32 bits tell only 1 "
            r"apart; subtract the mean in 64 bits with --data\.standardise True",
        ),
        (
            "a,y\n" + "".join(f"{place},{1_700_000_000 + place}\n" for place in range(20)),
            {"standardise": True},
            "'y' of .* subtract a constant from the column",
        ),
        (
            "id,a,kind\n" + "".join(f"{n},{n % 3}.5,k{n % 2}\n" for n in range(1, 13)),
            {},
            r"'id' of .* only numbers the rows, .* with --data\.inputs a$",
        ),
        (
            "id,a,kind\n" + "".join(f"{n}.0,{n % 3}.5,k{n % 2}\n" for n in range(12)),
            {},
            "'id' of .* only numbers the rows",
        ),
        (
            "a,name\n" + "".join(f"{n % 3},person {n}\n" for n in range(12)),
            {},
            "12 different texts in 12 rows, too many to be classes; .* --data.targets",
        ),
        ("a,,kind\n1,2,x\n3,4,y\n", {}, "column 2 of .* has no name"),
        ("a,y\n1,2\n", {"inputs": ("a", "y")}, "the column 'y' is named twice"),
        ("a,b\n1,2\n", {"delimiter": '"'}, "neither a quote nor the end of a line"),
        (",".join(map(str, range(100_001))), {}, "has 100,001 columns"),
        ("a,b\n1,\0\n", {}, "character 6 is a zero byte"),
        ("a,b\n" + "x" * 200_000 + ",1\n", {}, r"is 'x{60}\.\.\.', not a number"),
    ],
)
def test_tables_that_are_hardly_meant_are_refused(write, text, options, message):
    with pytest.raises(UserError, match=message) as error:
        Csv(write(text), **options).load()
    assert len(str(error.value)) < 500


PEOPLE = {
    "3,05": "decimal comma",
    "1.250,50": "decimal comma",
    '"1,250"': "thousands",
    "1 250": "thousands",
    "$4.50": "money",
    "4.50 €": "money",
    "-£3": "money",
    "USD 5": "money",
    "1.250,50 EUR": "money",
    "(4.50)": "in parentheses",
    "1\u00a0250,50": "decimal comma",
    "7%": "percentage",
    "2024-01-05": "a date",
    "1949-01": "a date",
    "5/1/2024": "a date",
    "12:30": "time of day",
    "\u22123.5": "minus sign",
}


@pytest.mark.parametrize("cell", PEOPLE)
def test_numbers_written_for_people_are_named(write, cell):
    for header in ("a;b", "b;a"):
        rows = "".join(f"{cell};{n}\n" if header == "b;a" else f"{n};{cell}\n" for n in range(12))
        with pytest.raises(UserError, match=f"'b' on line 2 .*{PEOPLE[cell]}"):
            Csv(write(f"{header}\n{rows}"), delimiter=";").load()


def test_texts_like_numbers_are_classes_where_asked_for(write):
    rows = "".join(f"{n},{n % 2 + 1}%\n" for n in range(12))
    data = Csv(write(f"a,b\n{rows}"), task="classification", test=0).load()
    assert data.classes == ("1%", "2%")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_row_labels_of_pandas_are_left_out(write, name, tmp_path, capsys):
    rows = "".join(f"{n},{n % 3}.5,k{n % 2}\n" for n in range(12))
    write(f"{name},a,kind\n{rows}", "train.csv")
    write(f"{name},a,kind\n7,1.5,k1\n", "test.csv")
    data, split = train(Csv(tmp_path))
    assert split["inputs"].shape == (12, 1)
    assert set(split["inputs"].ravel()) == {0.5, 1.5, 2.5}
    assert data.split("test")["inputs"].tolist() == [[1.5]]
    assert "is left out: pandas writes row labels there" in capsys.readouterr().err


def test_a_column_that_numbers_the_rows_is_taken_where_it_is_asked_for(write):
    rows = "".join(f"{n},{n % 3}.5,k{n % 2}\n" for n in range(12))
    path = write(f"id,a,kind\n{rows}")
    _, split = train(Csv(path, inputs=("id", "a"), test=0, seed=None))
    assert split["inputs"][:, 0].tolist() == list(range(12))
    # Alone it is what there is to learn from, as x in a table of x and y.
    path = write("x,y\n" + "".join(f"{n},{n * n}.5\n" for n in range(12)))
    assert Csv(path, test=0).load().size("train") == 12


def test_a_target_that_numbers_the_rows_is_said(write, capsys):
    Csv(write("a,n\n" + "".join(f"{n % 5},{n}\n" for n in range(12)))).load()
    assert "'n', only numbers the rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rows",
    [
        ["5.1,3.5,setosa", "6.2,2.9,virginica", "4.9,3.0,setosa"],
        ["M,0.4,15", "F,0.5,16", "M,0.6,17"],
        ["5.1,3.5,rare", "6.2,2.9,virginica", "4.9,3.0,virginica"],
    ],
)
def test_a_first_line_that_is_an_example_is_read(write, rows, capsys):
    targets, inputs = (("1",), ("2",)) if rows[0][0] == "M" else ((), ("1", "2"))
    data = Csv(write("\n".join(rows)), targets, inputs, test=0).load()
    assert data.size("train") == 3
    assert "names no columns" in capsys.readouterr().err


def test_years_may_be_names_of_columns(write):
    data = Csv(write("2019,2020,kind\n1,2,a\n3,4,b\n"), test=0).load()
    assert data.size("train") == 2


@pytest.mark.parametrize("labels", [("True", "true"), ("1", "1.0"), ("new york", "New  York")])
def test_classes_that_differ_in_spelling_alone_are_said(write, labels, capsys):
    text = "a,b\n" + "".join(f"{n},{labels[n % 2]}\n" for n in range(12))
    Csv(write(text), task="classification", test=0).load()
    assert "differ in their spelling alone" in capsys.readouterr().err
