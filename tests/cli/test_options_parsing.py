"""Options from the fields of an experiment, and what is said of wrong ones."""

import dataclasses
import sys
from pathlib import Path

import pytest

from nnjax.cli.options import call_with_options, parse
from nnjax.data import Blobs, Digits, Mnist
from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import MLP, LanguageModel
from nnjax.optimizers import SGD, Adam
from nnjax.schedules import Cosine
from nnjax.training import Experiment, Training

EXPERIMENT = Experiment(
    data=Blobs(),
    learner=Supervised(MLP(features=(3,)), optimizer=SGD(learning_rate=0.5)),
    training=Training(epochs=4),
)


def options(line):
    return parse(EXPERIMENT, line.split(), "nnjax train it")


def test_nothing_given_changes_nothing():
    assert options("").experiment == EXPERIMENT


def test_fields_by_dotted_path():
    experiment = options(
        "--model.features 4 5 --optimizer.learning-rate=0.25 --l2 1e-3 --batch-size 7 "
        "--data.examples 90 --data.preprocess.scale 2"
    ).experiment
    assert experiment.learner.model.features == (4, 5)
    assert experiment.learner.optimizer == SGD(learning_rate=0.25)
    assert experiment.learner.l2 == 1e-3
    assert experiment.training == Training(epochs=4, batch_size=7)
    assert (experiment.data.examples, experiment.data.preprocess.scale) == (90, 2.0)


def test_another_class_in_a_field():
    experiment = options(
        "--optimizer adam --optimizer.learning-rate 0.01 --optimizer.schedule cosine --data digits"
    ).experiment
    assert experiment.learner.optimizer == Adam(learning_rate=0.01, schedule=Cosine())
    assert experiment.data == Digits()


def test_the_data_directory_by_its_short_name(capsys):
    chosen = options("--data mnist --data-dir there").experiment
    assert chosen == options("--data mnist --data.data-dir there").experiment
    assert chosen.data == Mnist(data_dir=Path("there"))
    with pytest.raises(SystemExit):
        options("--data mnist --help")
    assert "--data-dir DIR is short for --data.data-dir DIR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "training"),
    [
        ("--steps 9", Training(steps=9)),
        ("--epochs 2.5", Training(epochs=2.5)),
        ("--epochs=2", Training(epochs=2)),
        ("--examples 100", Training(examples=100)),
    ],
)
def test_a_duration_replaces_that_of_the_config(line, training):
    assert options(line).experiment.training == training


def test_switches():
    chosen = options("--smoke --quiet --dry-run --run-dir here")
    assert (chosen.experiment.training.smoke, chosen.quiet, chosen.dry_run) == (True, True, True)
    assert str(chosen.run_dir) == "here"
    assert str(options("--run-dir=--odd").run_dir) == "--odd"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--epoch 3", "unknown option --epoch, did you mean '--epochs'?"),
        ("--learning-rate 1", ".*did you mean '--optimizer.learning-rate'?"),
        ("--optimizer.learnin-rate 1", ".*did you mean '--optimizer.learning-rate'?"),
        ("--xyzzy 1", "unknown option --xyzzy; see --help"),
        ("extra", "'extra' belongs to no option; options begin with --, see --help"),
        ("--epochs many", "--epochs takes a number, not 'many'"),
        ("--batch-size 2.5", "--batch-size takes a whole number, not '2.5'"),
        ("--data.center-box 1 a", "--data.center-box takes 2 numbers, not '1 a'"),
        ("--data image_folder --data.size 8", "--data.size takes 2 whole numbers, not '8'"),
        ("--patience soon", "--patience takes a whole number, not 'soon'"),
        ("--optimizer.learning-rate big", "--optimizer.learning-rate takes a number, not 'big'"),
        ("--loss hinge", "--loss has no choice 'hinge'; choose one of quadratic, .*"),
        ("--optimizer adm", "--optimizer has no choice 'adm', did you mean 'adam'?"),
        ("--optimizer adma", "--optimizer has no choice 'adma', did you mean 'adam'?"),
        ("--optimizer --quiet", "--optimizer needs a name: one of .*adam.*"),
        ("--data digit", "--data has no choice 'digit', did you mean 'digits'?"),
        ("--epochs", "Missing value for argument '--epochs'.*"),
        ("--epochs 0", "epochs must be positive, not 0.0"),
        ("--steps -1", "steps must be positive, not -1"),
        ("--epochs 2 --steps 5", "give one of epochs, steps and examples.*"),
        ("--batch-size -1", "batch_size must not be negative, it is -1"),
        ("--model.features 0", ".* must be at least 1, not 0"),
        ("--optimizer.learning-rate -1", "the learning rate must be at least 0, not -1.0"),
    ],
)
def test_wrong_ones_are_refused_in_one_sentence(line, sentence):
    with pytest.raises(UserError, match=f"^{sentence.replace('?', '[?]')}$"):
        options(line)


def test_help_lists_fields_with_their_explanation(capsys):
    with pytest.raises(SystemExit) as exit_:
        options("--help")
    assert not exit_.value.code
    text = capsys.readouterr().out
    assert "--optimizer.learning-rate" in text
    assert "--optimizer NAME takes another: gradient_descent, sgd," in text
    assert "--data NAME takes another: " in text
    assert "examples of a batch" in text


RECURRENT = dataclasses.replace(
    EXPERIMENT,
    learner=Supervised(LanguageModel(Recurrent(LSTMCell(features=24, forget_bias=0.5), layers=2))),
)


def test_another_cell_keeps_its_size():
    arguments = ["--model.recurrent.cell", "gru", "--model.recurrent.layers", "3"]
    model = parse(RECURRENT, arguments, "nnjax train it").experiment.learner.model
    assert model.recurrent == Recurrent(GRUCell(features=24), layers=3)


def test_the_fields_of_a_cell_are_options():
    arguments = ["--model.recurrent.cell.features", "7", "--model.embedding", "5"]
    model = parse(RECURRENT, arguments, "nnjax train it").experiment.learner.model
    assert model.recurrent.cell == LSTMCell(features=7, forget_bias=0.5)
    assert model.embedding == 5


def test_an_unknown_cell_is_refused():
    with pytest.raises(UserError, match="has no choice 'gru2', did you mean 'gru'"):
        parse(RECURRENT, ["--model.recurrent.cell", "gru2"], "nnjax train it")


def test_what_a_command_says_on_stderr_is_heard(capsys):
    def command(*, words: int = 1) -> None:
        """Says words.

        Args:
          words: how many.
        """
        print("word " * words, file=sys.stderr)

    call_with_options(command, ["--words", "2"], "nnjax it")
    assert capsys.readouterr().err == "word word \n"
