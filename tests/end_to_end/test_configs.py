"""Every config runs to its end: a few updates, every evaluation, every figure.

Files are made that stand for the data of each source. Their splits differ in size and, where they
are texts, in length, as those of real data do. With the real data at hand, in ``../shared/data``,
each config also reads that. Runs that take several seconds are marked slow.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from marks import slow_among

from nnjax import data
from nnjax.cli import files
from nnjax.cli.main import main
from nnjax.data.images.idx import write_idx
from nnjax.runs import Run

REAL = Path(__file__).parents[3] / "shared" / "data"

SMALL = {
    "addition": "--data.train 400 --data.validation 150 --data.test 130 "
    "--model.encoder.cell.features 8 --model.decoder.cell.features 8",
    "caption": "--batch-size 32 --model.encoder.features 2 3 --model.decoder.cell.features 8",
    "char_lm": "--model.recurrent.cell.features 8",
    "cnn1": "--model.features 2",
    "cnn2": "--model.features 2 3",
    "cnn2_plus": "--model.features 2 3",
    "cnn_keras": "--model.features 2 3",
    "cnn_skip": "--model.features 3 3",
    "memory": "--data.train 200 --data.validation 90 --data.test 130 "
    "--model.recurrent.cell.features 8",
    "mnist_permuted": "--model.features 2 3",
    "mnist_tanh_sgd": "--data.validation 200",
    "pixel_mnist": "--model.recurrent.cell.features 8",
    "recipes": "--model.recurrent.cell.features 8",
    "row_mnist": "--model.recurrent.cell.features 8",
    "sentiment": "--data.validation 100 --data.test 70 --model.recurrent.cell.features 8 "
    "--model.embedding 8",
    "tagging": "--data.train 150 --data.validation 90 --data.test 70 "
    "--model.recurrent.cell.features 8",
    "topic": "--data.validation 100 --model.recurrent.cell.features 8 --model.embedding 8",
    "transformer": "--model.layers 1 --model.features 16",
    "translation": "--model.encoder.cell.features 8 --model.decoder.cell.features 8 "
    "--model.embedding 8",
}
"""Options that make a config quick: sizes of its data and model, never the lengths of its texts."""

WORDS = (
    "a",
    "the",
    "good",
    "bad",
    "film",
    "dog",
    "cat",
    "runs",
    "sits",
    "red",
    "big",
    "small",
    "fast",
)


def write_digits(folder: Path) -> list[str]:
    """Writes MNIST's four files with random images of each class."""
    draw = np.random.default_rng(0)
    for split, size in {"train": 1300, "t10k": 270}.items():
        labels = np.arange(size, dtype=np.uint8) % 10
        images = draw.integers(0, 256, (size, 28, 28), np.uint8)
        write_idx(folder / f"{split}-images-idx3-ubyte", images)
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels)
    return ["--data.path", str(folder)]


def write_text(folder: Path) -> list[str]:
    """Writes a text with 32 windows and more in every split, so that all fill a batch."""
    draw = np.random.default_rng(0)
    path = folder / "text.txt"
    path.write_text(" ".join(draw.choice(WORDS, 80_000)))
    return ["--data.path", str(path)]


def write_recipes(folder: Path) -> list[str]:
    """Writes a file of recipes."""
    draw = np.random.default_rng(0)
    path = folder / "recipes.txt"
    path.write_text("\n".join(" ".join(draw.choice(WORDS, 8)) for _ in range(400)))
    return ["--data.path", str(path)]


def write_labelled(folder: Path) -> list[str]:
    """Writes a file of texts of several lengths for each of two classes."""
    draw = np.random.default_rng(0)
    for label in ("neg", "pos"):
        texts = (" ".join(draw.choice(WORDS, draw.integers(3, 30))) for _ in range(300))
        (folder / f"reviews.{label}").write_text("\n".join(texts))
    return ["--data.path", str(folder)]


def write_parallel(folder: Path) -> list[str]:
    """Writes sentences and their translations; the test sentences are the longest."""
    draw = np.random.default_rng(0)
    for split, size, most in (("train", 300, 20), ("val", 60, 12), ("test", 50, 45)):
        sentences = [draw.choice(WORDS, draw.integers(3, most)) for _ in range(size)]
        for language, order in (("de", -1), ("en", 1)):
            lines = "\n".join(" ".join(sentence[::order]) for sentence in sentences)
            (folder / f"{split}.{language}").write_text(lines)
    return ["--data.path", str(folder)]


def write_python(folder: Path) -> list[str]:
    """Writes Python files, enough for the pieces of every split."""
    for number in range(60):
        lines = (f"value_{line} = {line} * len('{number}')  # a comment" for line in range(40))
        (folder / f"module_{number}.py").write_text("\n".join(lines))
    return ["--data.path", str(folder)]


MADE = {
    data.DigitNames: write_digits,
    data.LabelledText: write_labelled,
    data.Mnist: write_digits,
    data.ParallelText: write_parallel,
    data.PythonCode: write_python,
    data.Recipes: write_recipes,
    data.Text: write_text,
}
"""Writes the files of a source into a folder; returns the options that name them."""

REAL_PATHS = {
    "caption": "mnist",
    "char_lm": "tinyshakespeare/input.txt",
    "recipes": "recipes/recipes.txt",
    "sentiment": "sentiment",
    "topic": "dbpedia",
    "transformer": "tinyshakespeare/input.txt",
    "translation": "multi30k",
}
"""Where the real data of a config lies; those that read ``Mnist`` have MNIST's."""

CONFIGS = sorted(files.config_files())
SLOW = SMALL.keys() - {"char_lm", "cnn2"}
"""Configs that take several seconds, except for one config of texts and one of images."""


def train(name: str, options: list[str]) -> dict:
    """Trains a config for a few updates, and returns the summary of its run."""
    run_dir = Path("run")
    assert main(["train", name, "--run-dir", str(run_dir), "--smoke", *options]) == 0
    return json.loads((run_dir / "summary.json").read_text())


def check_whole(name: str, summary: dict) -> None:
    """Checks that every split of the data was measured, and that figures were drawn."""
    run = Run.open(Path("run"))
    assert summary["status"] == "finished"
    measured = summary.get("tests", {"all": summary}).values()
    for part in measured:
        found = part if "tests" in summary else part.get("test", part.get("train"))
        assert np.isfinite(found["loss"]), name
    if "tests" not in summary:
        sizes = run.read_data().sizes
        assert {split for split, size in sizes.items() if size} <= summary.keys(), name
    assert any(run.figures.rglob("*.png")), name


@pytest.mark.parametrize("name", slow_among(CONFIGS, SLOW))
def test_made_data(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = files.read_config(files.load(files.find_config(name))).data
    folder = tmp_path / "data"
    folder.mkdir()
    write = MADE.get(type(source))
    options = write(folder) if write else []
    check_whole(name, train(name, [*options, *SMALL.get(name, "").split()]))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_real_data(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = files.read_config(files.load(files.find_config(name))).data
    default = "mnist" if isinstance(source, data.Mnist) else None
    path = REAL_PATHS.get(name, default)
    if path and not (REAL / path).exists():
        pytest.skip(f"there is no {path} in {REAL}")
    options = ["--data.path", str(REAL / path)] if path else []
    check_whole(name, train(name, options))
