"""``nnjax generate``, ``translate`` and ``classify``: what trained models of text are used for."""

import io
import json
import shutil
import sys

import numpy as np
import pytest

from nnjax.cli.commands import classify
from nnjax.cli.main import main
from nnjax.cli.trained import read_lines
from nnjax.data import Addition, LabelledText, Spec, Text, Vocabulary
from nnjax.data.words import Tokeniser
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import EncoderDecoder, LanguageModel, SequenceClassifier
from nnjax.optimizers import Adam
from nnjax.runs.run import Run
from nnjax.training import Experiment, Training, fit

VERSE = "the rose is red, the violet's blue, the honey's sweet, and so are you.\n"


def train(folder, name, data, model, epochs, **options):
    """A finished run in ``folder``."""
    learner = Supervised(model, optimizer=Adam(learning_rate=0.01), **options)
    training = Training(epochs=epochs, batch_size=10)
    experiment = Experiment(data=data, learner=learner, training=training)
    run = Run.create(name, experiment, directory=folder / name)
    fit(learner, data.load(), training, run=run)
    return run


@pytest.fixture(scope="module")
def verses(tmp_path_factory):
    """A language model that knows a verse by heart; the text is gone."""
    folder = tmp_path_factory.mktemp("verses")
    (folder / "verses.txt").write_text(VERSE * 60)
    data = Text(path=folder / "verses.txt", length=40, validation=0, test=0)
    model = LanguageModel(recurrent=Recurrent(LSTMCell(48)))
    run = train(folder, "verses", data, model, 40)
    (folder / "verses.txt").unlink()
    return run


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    """A writer of the sums of digits, with attention."""
    folder = tmp_path_factory.mktemp("sums")
    cell = GRUCell(32)
    model = EncoderDecoder(Recurrent(cell), Recurrent(cell), attention="dot")
    data = Addition(digits=1, train=55, validation=0, test=0)
    return train(folder, "sums", data, model, 80, metrics=("sequence_accuracy",))


@pytest.fixture(scope="module")
def fruits(tmp_path_factory):
    """A classifier of two kinds of texts."""
    folder = tmp_path_factory.mktemp("fruits")
    (folder / "things").mkdir()
    draw = np.random.default_rng(0)
    for kind, words in (("fruit", ["apple", "pear", "plum"]), ("tool", ["saw", "axe", "plane"])):
        lines = [" ".join(draw.choice(words, 1 + number % 4)) for number in range(40)]
        (folder / "things" / f"all.{kind}").write_text("\n".join(lines))
    model = SequenceClassifier(Recurrent(GRUCell(8)), embedding=8)
    # Of the texts of training all have at most four words.
    data = LabelledText(path=folder / "things", validation=0, test=10, maximum_length=4)
    return train(folder, "fruits", data, model, 15)


def given(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_verse_learned_by_heart_is_written_without_its_file(verses, capsys):
    arguments = ["--prompt", "the rose", "--length", "60", "--temperature", "0"]
    assert main(["generate", str(verses.directory), *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.out == VERSE[: len("the rose") + 60] + "\n"
    assert "60 characters" in captured.err


def test_samples_are_those_of_the_seed(verses, capsys):
    texts = []
    for seed in ("1", "1", "2"):
        options = ["--samples", "2", "--length", "30", "--temperature", "2", "--seed", seed]
        assert main(["generate", str(verses.directory), *options]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("1.\n")


def test_sums_are_written(sums, capsys, monkeypatch):
    given(monkeypatch, "3+4\n9+9\n0+0\n")
    assert main(["translate", str(sums.directory)]) == 0
    assert capsys.readouterr().out == "7\n18\n0\n"
    given(monkeypatch, "3+4\n9+9\n")
    assert main(["translate", str(sums.directory), "--beams", "1"]) == 0
    assert capsys.readouterr().out == "7\n18\n"


def test_the_attention_is_drawn(sums, capsys, monkeypatch, tmp_path):
    given(monkeypatch, "3+4\n\n\n")
    folder = tmp_path / "pictures"
    assert main(["translate", str(sums.directory), "--attention", str(folder)]) == 0
    assert (folder / "1.png").stat().st_size > 1000
    assert [file.name for file in folder.iterdir()] == ["1.png"]
    assert capsys.readouterr().out.startswith("7\n")


def test_lines_are_classified(fruits, capsys, monkeypatch):
    given(monkeypatch, "apple pear\naxe saw axe\n")
    assert main(["classify", str(fruits.directory)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [("fruit", "apple pear"), ("tool", "axe saw axe")]
    assert all(0.5 < float(row[1]) <= 1 for row in rows)


def test_texts_are_cut_as_those_of_the_training_were(fruits, capsys, monkeypatch):
    whole = "apple pear plum pear" + " saw axe plane" * 5
    given(monkeypatch, f"{whole}\n apple\r\n")
    assert main(["classify", str(fruits.directory)]) == 0
    captured = capsys.readouterr()
    rows = [line.split("\t") for line in captured.out.splitlines()]
    assert [row[0] for row in rows] == ["fruit", "fruit"]
    assert rows[0][2] == whole
    assert "1 of 2 texts, the first on line 1, are cut after 4 words" in captured.err
    given(monkeypatch, "apple pear plum pear\n")
    assert main(["classify", str(fruits.directory)]) == 0
    captured = capsys.readouterr()
    assert captured.out.split("\t")[1] == rows[0][1]
    assert not captured.err


def test_words_beyond_the_maximum_length_get_no_tag():
    data = Spec({}, {}, ("N", "V"), vocabulary=Vocabulary(("a", "b"), Tokeniser("spaces")))
    probabilities = np.eye(2)[[0, 1, 1] + [0] * 13]  # a row as wide as the padded texts
    assert classify._tagged("a b a b", probabilities, data, 3) == "a/N b/V a/V"
    assert classify._tagged("a b a b", probabilities, data) == "a/N b/V a/V b/N"


def test_a_run_of_version_0_1_0_cuts_by_its_configuration(fruits, capsys, monkeypatch, tmp_path):
    copy = shutil.copytree(fruits.directory, tmp_path / "copy")
    recorded = json.loads((copy / "data.json").read_text())
    for name in ("maximum_length", "preprocessed", "complete"):
        del recorded[name]
    (copy / "data.json").write_text(json.dumps(recorded))
    given(monkeypatch, "apple pear plum pear saw saw saw saw saw saw saw\n")
    assert main(["classify", str(copy)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("fruit\t")
    assert "are cut after 4 words" in captured.err


@pytest.mark.parametrize(
    ("command", "run", "options", "message"),
    [
        ("generate", "fruits", [], "holds a SequenceClassifier, which writes no text"),
        ("generate", "sums", [], "writes answers to a source; use nnjax translate"),
        ("generate", "verses", ["--prompt", "ß"], "none of the"),
        ("generate", "verses", ["--length", "0"], "must be at least 1, not 0"),
        ("generate", "verses", ["--samples", "0"], "must be at least 1, not 0"),
        ("generate", "verses", ["--temperature", "-1"], "temperature must be at least 0"),
        ("generate", "verses", ["--top-p", "2"], "must be below 1, not 2"),
        ("translate", "verses", [], "holds a LanguageModel, which translates nothing"),
        ("translate", "sums", ["--beams", "0"], "must be at least 1, not 0"),
        ("classify", "verses", [], "classifies no texts"),
        ("classify", "digits_run", [], "holds a MLP that classifies no texts"),
        ("generate", "digits_run", [], "holds a MLP, which writes no text"),
        ("translate", "digits_run", [], "holds a MLP, which translates nothing"),
    ],
)
def test_what_does_not_fit_is_refused(command, run, options, message, request, monkeypatch, capsys):
    given(monkeypatch, "1+1\n")
    directory = request.getfixturevalue(run).directory
    assert main([command, str(directory), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_only_a_newline_ends_a_line(monkeypatch):
    given(monkeypatch, "apple\x0cpear\u2028plum\n\nsaw")
    assert read_lines() == ["apple\x0cpear\u2028plum", "", "saw"]


def test_input_that_is_empty_or_not_text_is_refused(fruits, monkeypatch, capsys):
    given(monkeypatch, "")
    assert main(["classify", str(fruits.directory)]) == 1
    assert "standard input is empty" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"apple\xff"), "utf-8"))
    assert main(["classify", str(fruits.directory)]) == 1
    assert "byte 0xff at offset 5" in capsys.readouterr().err


def test_any_seed_of_training_writes(verses, capsys):
    # The options of the samples above, whose program is compiled already.
    options = ["--samples", "2", "--length", "30", "--temperature", "2"]
    assert main(["generate", str(verses.directory), *options, "--seed", "3000000000"]) == 0
    assert main(["generate", str(verses.directory), *options, "--seed", "-1"]) == 1
    assert "seed" in capsys.readouterr().err


def test_more_text_than_memory_is_refused_in_a_sentence(verses, capsys):
    assert main(["generate", str(verses.directory), "--length", str(10**14)]) == 1
    assert "there is not enough memory (" in capsys.readouterr().err


def test_a_byte_order_mark_is_no_part_of_a_line(monkeypatch):
    given(monkeypatch, "\ufeffapple\npear\n")
    assert read_lines() == ["apple", "pear"]


def test_standard_input_is_utf_8_whatever_the_locale(monkeypatch):
    ascii_only = io.TextIOWrapper(io.BytesIO("käse\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", ascii_only)
    assert read_lines() == ["käse"]


def test_letters_that_the_terminal_lacks_stop_nothing(fruits, monkeypatch):
    given(monkeypatch, "äpple\n")
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    assert main(["classify", str(fruits.directory)]) == 0
    assert shown.getvalue().endswith(b"\t?pple\n")


def test_an_unknown_word_is_drawn_as_the_word_that_was_written(sums, monkeypatch, tmp_path):
    """The ids that were written are drawn: cut out of the text again they may be others."""
    from nnjax.generation import translation

    drawn = []
    attend = translation.attention_of
    monkeypatch.setattr(
        translation, "attention_of", lambda *words: drawn.append(attend(*words)) or drawn[-1]
    )
    monkeypatch.setattr(
        translation, "translate_to_ids", lambda *words, **_: np.array([[1, 2, -1], [2, -1, -1]])
    )
    given(monkeypatch, "3+4\n\n")
    assert main(["translate", str(sums.directory), "--attention", str(tmp_path)]) == 0
    ((weights, source, written),) = drawn  # nothing of the empty line
    assert (weights.shape, source, len(written)) == ((3, 3), ["3", "+", "4"], 3)


CONFIG = """
from pathlib import Path

from nnjax.data import Recipes, Text
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import LanguageModel, Transformer
from nnjax.training import Experiment, Training

config = Experiment(
    data={data},
    learner=Supervised({model}),
    training=Training(epochs=2, batch_size=20),
    script="text",
)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data", "written"),
    [
        # Of the 200 characters of a sample it can write as many as it has learned positions for.
        (
            "Transformer(1, 2, 8, positions='learned', length=40)",
            "Text(path=Path({path!r}), length=40, validation=0.0, test=0.0)",
            2,
        ),
        # It reads both ways, and so writes nothing.
        (
            "LanguageModel(Recurrent(GRUCell(4), direction='bidirectional'), last_only=True)",
            "Recipes(path=Path({path!r}), length=5, minimum_count=1, validation=0, test=0)",
            0,
        ),
    ],
)
def test_what_a_model_cannot_write_ends_no_training(tmp_path, capsys, model, data, written):
    path = tmp_path / "verse.txt"
    path.write_text(VERSE * 20)
    config = tmp_path / "mine.py"
    config.write_text(CONFIG.format(data=data.format(path=str(path)), model=model))
    arguments = ["--run-dir", str(tmp_path / "run")]
    assert main(["train", str(config), *arguments]) == 0, capsys.readouterr().err
    run = Run.open(tmp_path / "run")
    assert run.status == "finished"
    assert len(list((tmp_path / "run").rglob("samples/*"))) == written
    capsys.readouterr()
    prompt = ["--prompt", "the", "--length", "5"]
    assert main(["generate", str(tmp_path / "run"), *prompt]) == (0 if written else 1)
    heard = capsys.readouterr()
    assert bool(heard.out) == bool(written)
    assert heard.err.count("\n") == 1
