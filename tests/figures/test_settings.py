"""Figures look the same whatever the user's matplotlib settings are, which stay as they are."""

import importlib.util
import io
import os
import pickle
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from marks import slow

from nnjax.figures import (
    compare_curves,
    draw_attention,
    draw_confusion_matrix,
    draw_decision_boundary,
    draw_hyperparameters,
    draw_importances,
    draw_kernels,
    draw_learning_curves,
    draw_mistakes,
    draw_parallel_coordinates,
    draw_regression,
    draw_sweep_curves,
    save,
    style,
)
from nnjax.figures.curves import Curve

NAMES = (
    "$x^2$",
    "from $5 to $\\oops",
    "a_b^c\\d",
    "[red]",
    "[/]",
    "_hidden",
    "two\nlines",
    "\x00\x1b[31m",
    "中文 😀",
    "-/..",
    "long " * 30,
    "",
)
"""Names of classes, runs and values that mean something to some program, or nothing to a font."""

RECORDS = [{"epoch": e, "split": s, "loss": 1 / e} for e in (1, 2, 3) for s in ("train", "test")]

POINTS = np.random.default_rng(0).normal(size=(len(NAMES), 2)).astype(np.float32)

TRIALS = [{"name": name, "other": place} for place, name in enumerate(NAMES)]

RESULTS = [0.5 + 0.01 * place for place in range(len(NAMES))]

STATES = ["complete"] * len(NAMES)

INLINE = importlib.util.find_spec("matplotlib_inline") is not None
"""Whether the backend of notebooks is installed here."""

FIGURES = {
    "attention": lambda: draw_attention(np.eye(len(NAMES)), NAMES, NAMES, NAMES[1]),
    "comparison": lambda: compare_curves(dict.fromkeys(NAMES, RECORDS)),
    "confusion": lambda: draw_confusion_matrix(np.eye(len(NAMES), dtype=int), NAMES, NAMES[1]),
    "boundary": lambda: draw_decision_boundary(
        lambda points: np.full((len(points), len(NAMES)), 1 / len(NAMES)),
        {"train": (POINTS, np.arange(len(NAMES)))},
        NAMES,
        NAMES[1],
    ),
    "hyperparameters": lambda: draw_hyperparameters(
        TRIALS, RESULTS, STATES, NAMES[1], title=NAMES[1]
    ),
    "importances": lambda: draw_importances(dict(zip(NAMES, RESULTS, strict=True)), *NAMES[1:3]),
    "kernels": lambda: draw_kernels(np.ones((3, 2, 2, 1)), NAMES[1]),
    "learning_curves": lambda: draw_learning_curves(RECORDS, {}, NAMES[1]),
    "mistakes": lambda: draw_mistakes(
        np.zeros((len(NAMES), 3, 3, 1)),
        np.arange(len(NAMES)),
        np.roll(np.eye(len(NAMES)), 1, axis=1),
        NAMES,
        NAMES[1],
    ),
    "parallel": lambda: draw_parallel_coordinates(
        TRIALS, RESULTS, NAMES[1], maximize=True, title=NAMES[1]
    ),
    "regression": lambda: draw_regression(np.arange(3.0), np.ones((3, 1)), NAMES[1]),
    "sweep_curves": lambda: draw_sweep_curves(
        [Curve(np.arange(1, 4), np.arange(3.0) + place) for place in range(len(NAMES))],
        STATES,
        NAMES[1],
        best=NAMES[2],
        colour_by=NAMES[0],
        values=NAMES,
        title=NAMES[1],
    ),
}


def drawn(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_shown_as_they_are_and_the_users_settings_have_no_influence(name, tmp_path):
    from matplotlib.text import Text

    figure = FIGURES[name]()
    expected = save(figure, tmp_path / "a.png").read_bytes()
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts)
    assert not any(set("\x00\x1b") & set(text.get_text()) for text in texts)
    users = {"text.usetex": True, "font.family": "no such font", "savefig.dpi": 30}
    users |= {"savefig.bbox": "tight", "axes.facecolor": "black", "lines.linewidth": 9.0}
    with matplotlib.rc_context(users):
        before = dict(matplotlib.rcParams)
        assert save(FIGURES[name](), tmp_path / "b.png").read_bytes() == expected
        # Also where a notebook draws it, after the function has returned.
        assert drawn(FIGURES[name]()) == expected
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_other_formats_with_the_users_settings(suffix, tmp_path):
    with matplotlib.rc_context({"text.usetex": True}):
        path = save(FIGURES["confusion"](), tmp_path / f"figure.{suffix}")
    start = {"pdf": b"%PDF", "svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(start)


def test_a_notebook_shows_a_figure_without_pyplot():
    figure = draw_importances({"a": 1.0})
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert drawn(pickle.loads(pickle.dumps(figure))) == drawn(figure)


@pytest.mark.parametrize(
    ("backend", "kept"),
    [("module://matplotlib_inline.backend_inline", INLINE), *slow(("svg", True))],
)
def test_the_backend_of_the_environment(backend, kept, tmp_path):
    """A notebook's backend, which this environment may lack; a backend stays the user's."""
    code = (
        "from nnjax.figures import draw_importances, save\n"
        "path = save(draw_importances({'a': 1.0}), 'figure.png')\n"
        "assert path.read_bytes().startswith(b'\\x89PNG')\n"
        "import matplotlib, os\n"
        "print(matplotlib.get_backend(), os.environ['MPLBACKEND'])"
    )
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: pdf\n")
    environment = os.environ | {"MPLBACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [backend if kept else "pdf", backend]


def test_long_titles_are_folded_and_the_figure_grows():
    one, two = (style.new_figure(3, 2, "a title " * repeats) for repeats in (1, 10))
    assert one.get_figheight() == 2
    assert two.get_figheight() > 2.3
    for figure in (one, two):
        (title,) = figure.texts
        assert title.get_window_extent().x1 <= figure.bbox.x1


def test_a_long_name_loses_its_middle():
    assert style.shown_name("x" * 40 + "end", 12) == "xxxxxx…xxend"
    assert style.shown_name("two\nlines") == "two\\nlines"
