"""What people get wrong: one sentence that names it and the way out, and nothing left behind.

Each line is a command as it would be typed; the tests of the single parts say more of each part.
"""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nnjax as package
from nnjax.cli.options import parse_with_tyro
from nnjax.errors import UserError

CONFIG = '''"""A small network on digits."""

from nnjax.data import Digits
from nnjax.learners import Supervised
from nnjax.models import {model}
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training, fit

config = Experiment(
    data=Digits(),
    learner=Supervised({model}(features=(4,)), optimizer=SGD(learning_rate=0.1)),
    training=Training(steps=2, batch_size=2),
)


def main(experiment, run, *, resume=False, quiet=False):
    fit(experiment.learner, experiment.data.load(), experiment.training, run=run, resume=resume)
'''


def idx(numbers):
    numbers = np.asarray(numbers, np.uint8)
    sizes = struct.pack(f">{numbers.ndim}I", *numbers.shape)
    return struct.pack(">HBB", 0, 8, numbers.ndim) + sizes + numbers.tobytes()


def idx_folder(folder, images=None, labels=None, name="train-images-idx3-ubyte"):
    """Eight training images with labels, the files as given where they are."""
    folder.mkdir()
    (folder / name).write_bytes(images or idx(np.zeros((8, 4, 4))))
    (folder / "train-labels-idx1-ubyte").write_bytes(labels or idx(np.arange(8) % 2))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((4, 4, 4))))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx([0, 1, 0, 9]))


def image_folder(folder, sizes):
    for number, size in enumerate(sizes):
        path = folder / "train" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((size, size), np.uint8)).save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two config files, and data with something wrong."""
    place = tmp_path_factory.mktemp("place")
    (place / "net.py").write_text(CONFIG.format(model="MLP"))
    (place / "cnn.py").write_text(CONFIG.format(model="CNN"))
    (place / "nothing").mkdir()
    packed = gzip.compress(idx(np.zeros((8, 4, 4))))
    idx_folder(place / "truncated", images=idx(np.zeros((8, 4, 4)))[:-3])
    idx_folder(place / "cut", images=packed[:-9], name="train-images-idx3-ubyte.gz")
    idx_folder(place / "fewer", labels=idx([0, 1]))
    idx_folder(place / "outside")
    image_folder(place / "mixed", [4, 4, 5, 4])
    (place / "wordless" / "train" / "a").mkdir(parents=True)
    (place / "empty.csv").touch()
    (place / "text.csv").write_text("a,y\n1,0\nmuch,1\n")
    np.savez(place / "other.npz", weights=np.zeros(3))
    (place / "broken.npz").write_bytes(b"no archive")
    return place


# Training, by options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--learning-rate 1", "unknown option --learning-rate, did you mean '--optimizer.learning"),
        ("--lr 1", "unknown option --lr, did you mean '--optimizer.learning-rate'?"),
        ("--batchsize 3", "unknown option --batchsize, did you mean '--batch-size'?"),
        ("--optim adam", "unknown option --optim, did you mean '--optimizer'?"),
        ("--evaluate-train no", "unknown option --evaluate-train, did you mean '--no-evaluate-tr"),
        ("--epochs ten", "--epochs takes a number, not 'ten'"),
        ("--model.features a b", "--model.features takes whole numbers, not 'a b'"),
        ("--loss quadradic", "--loss has no choice 'quadradic', did you mean 'quadratic'?"),
        ("--epochs inf", "epochs must be positive, not inf"),
        ("--steps 0", "steps must be positive, not 0"),
        ("--epochs 1 --steps 1", "give one of epochs, steps and examples, not {'epochs': 1.0, 's"),
        ("--batch-size -1", "batch_size must not be negative, it is -1"),
        ("--batch-size 9999", "batch_size 9999 is larger than the 1438 training examples; give at"),
        ("--seed -1", "seed must not be negative, it is -1"),
        ("--seed 99999999999999999999", "the seed must be below 4294967296, not 999999999999999"),
        ("--data-seed -1", "data_seed must not be negative, it is -1"),
        ("--data.seed -1", "the seed must be at least 0, not -1"),
        ("--model.features 0", "the width of a hidden layer must be at least 1, not 0"),
        ("--model.dropout 1.5", "the dropout rate must be below 1, not 1.5"),
        ("--model.outputs 3", "MLP with 3 outputs cannot tell 10 classes apart; take a model with"),
        ("--l2 -1", "the penalty l2 must be at least 0, not -1.0"),
        ("--optimizer.learning-rate -1", "the learning rate must be at least 0, not -1.0"),
        ("--optimizer.learning-rate inf", "the learning rate must be below inf, not inf"),
        ("--optimizer.momentum 2", "the momentum must be below 1, not 2.0"),
        ("--optimizer adam --optimizer.b1 1", "the b1 must be below 1, not 1.0"),
        ("--patience 2", "patience 2 needs a metric to wait for; set aside a validation split, or"),
        ("--monitor nonsense", "monitor 'nonsense' is not a split and a metric measured here; the"),
        ("--devices 9", "9 devices were asked for, this machine has 4 cpu devices"),
        ("--data.train -5", "train=-5 must be 0 or more examples"),
        ("--data.train 9999", "train=9999 asks for more than the 1438 examples there are"),
        ("--data.preprocess.std 0", "the standard deviation must be above 0, not 0.0"),
        ("--data.preprocess.permutation-seed -1", "the permutation seed must be at least 0, not"),
        ("--data.augment.shift 20", "shift=20 is too large for 8x8 images"),
        ("--data blobs --data.spread -1", "the spread of the blobs must be at least 0, not -1.0"),
        ("--data circles --data.noise -1", "the noise of the circles must be at least 0, not -1"),
        ("--data circles --data.factor 2", "the factor of the circles must be below 1, not 2.0"),
        ("--data diabetes", "the data has no classes to measure the accuracy of; set metrics to m"),
        (
            "--data diabetes --metrics mean_absolute_error",
            "the categorical_cross_entropy of a single output is always 0; set loss to mean_squar",
        ),
    ],
)
def test_options(place, refused, monkeypatch, words, sentence):
    monkeypatch.chdir(place)
    assert refused("train", "net.py", *words.split()).startswith(sentence)
    assert not list(place.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("cnn.py --data blobs", "a convolutional network takes images"),
        ("cnn.py --model.kernel-sizes 9", "a 9x9 kernel does not fit into a 8x8 image; take a sma"),
        ("blobs --data digits", "SingleNeuron with 1 output cannot tell 10 classes apart; take a"),
    ],
)
def test_models_that_do_not_fit_the_data(place, refused, monkeypatch, words, sentence):
    monkeypatch.chdir(place)
    assert refused("train", *words.split()).startswith(sentence)
    assert not list(place.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("idx --data.path none", "there is no folder none; give another with --data.path"),
        ("idx --data.path nothing", "nothing has no idx file train-images*"),
        ("idx --data.path truncated", "truncated/train-images-idx3-ubyte is truncated: fewer than"),
        ("idx --data.path cut", "cut/train-images-idx3-ubyte.gz is truncated or damaged: "),
        ("idx --data.path fewer", "fewer/train-images-idx3-ubyte holds 8 images and train-labels-"),
        ("idx --data.path outside", "label 9 of example 3 in outside/t10k-labels-idx1-ubyte is ou"),
        ("image_folder --data.path none", "there is no folder none; give another with --data.path"),
        ("image_folder --data.path nothing", "nothing has no folders of images, one for each cla"),
        ("image_folder --data.path wordless", "wordless/train/a holds no images, files with one"),
        ("image_folder --data.path mixed", "mixed/train/"),
        ("csv --data.path empty.csv", "empty.csv must hold a line with the names of the columns"),
        ("csv --data.path text.csv", "column 'a' on line 3 of text.csv is 'much', not a number; "),
        ("csv --data.path none.csv", "none.csv cannot be read as a table: No such file or direct"),
        ("npz --data.path other.npz", "other.npz must hold the arrays inputs and targets, or "),
        ("npz --data.path broken.npz", "broken.npz cannot be read as an npz file of numbers"),
        ("npz --data.path none.npz", "there is no file none.npz; give another with --data.path"),
        ("mnist --data-dir /dev/null/x", "MNIST cannot be stored in /dev/null/x/mnist: Not a dir"),
    ],
)
def test_data(place, refused, monkeypatch, words, sentence):
    monkeypatch.chdir(place)
    said = refused("train", "net.py", "--data", *words.split())
    assert said.startswith(sentence)
    assert ". " not in said
    assert not list(place.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("trian", "unknown command 'trian', did you mean 'train'?"),
        ("summary cn2", "there is no experiment 'cn2', did you mean 'cnn2'?"),
        ("list all", "nnjax list takes no arguments, not 'all'"),
        ("data fetsh", "unknown data command 'fetsh', did you mean 'fetch'?"),
        ("data import", "nnjax data import needs the name of the set and --from PATH (the folder"),
        ("data import x", "nnjax data import needs --from PATH (the folder that holds it)"),
        (
            "resume",
            "nnjax resume needs the run directory, or runs/NAME for the newest run of that na",
        ),
        ("resume nowhere", "there is no run nowhere: no such file or directory"),
        ("evaluate nothing", "nothing is no run directory: it has no config.json"),
        ("compare", "give the runs to compare, as in: nnjax compare runs/cnn1 runs/cnn2"),
        ("export nowhere", "there is no run nowhere: no such file or directory"),
    ],
)
def test_commands(place, refused, monkeypatch, words, sentence):
    monkeypatch.chdir(place)
    assert refused(*words.split()).startswith(sentence)


@pytest.mark.parametrize("words", [["train"], ["summary"], ["data"]])
def test_usage_without_arguments(nnjax, words):
    done = nnjax(*words)
    assert (done.status, done.out) == (2, "")
    assert f"usage: nnjax {words[0]} " in done.err


# The terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["20", "200"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_sentence_is_that_of_any_terminal(monkeypatch, encoding, columns):
    class Terminal:
        def __init__(self):
            self.encoding = encoding

        def isatty(self):
            return False

    def command(*, epochs: float | None = None):
        raise AssertionError(epochs)

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(UserError, match=r"^--epochs takes a number, not 'ten'$"):
        parse_with_tyro(command, ["--epochs", "ten"], "nnjax it")


@pytest.mark.slow
def test_a_reader_that_leaves_does_not_stop_the_training(tmp_path):
    program = (
        f"{sys.executable} -m nnjax train circles --steps 300 --run-dir run | head -n 1;"
        " exit ${PIPESTATUS[0]}"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parent.parent)}
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"finished"' in (tmp_path / "run" / "summary.json").read_text()


def test_a_closed_standard_output(nnjax, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        assert nnjax("--version").status == 0
