"""Direct labels keep apart, and a figure that cannot be saved is a sentence."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.errors import UserError
from nnjax.figures import style


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_spread_keeps_labels_apart_and_in_order(wanted):
    gap = 0.06
    places = style.spread(wanted, gap)
    ordered = sorted(places)
    assert all(b - a >= gap * 0.95 for a, b in itertools.pairwise(ordered))
    for a, b in zip(sorted(zip(wanted, places, strict=True)), ordered, strict=True):
        if len(set(wanted)) == len(wanted):
            assert a[1] == pytest.approx(b)


def test_spread_leaves_alone_what_is_apart():
    assert style.spread([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])


def test_save_makes_the_folder(tmp_path):
    path = style.save(style.new_figure(2, 1, "title"), tmp_path / "a" / "b.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_adds_a_suffix_and_returns_the_path_of_the_file(tmp_path):
    path = style.save(style.new_figure(2, 1), tmp_path / "compare")
    assert path == tmp_path / "compare.png"
    assert path.is_file()


@pytest.mark.parametrize("name", ["-v.png", "😀.png", "[red].png", "$x.png", "a b\n.png"])
def test_save_takes_any_name(name, tmp_path):
    assert style.save(style.new_figure(2, 1), tmp_path / name).is_file()


@pytest.mark.parametrize(
    ("name", "reason"), [("a\0b.png", "embedded null byte"), ("x" * 300 + ".png", "name too long")]
)
def test_save_refuses_names_that_no_file_can_have(name, reason, tmp_path):
    with pytest.raises(UserError, match=f"cannot write the figure .*{reason}"):
        style.save(style.new_figure(2, 1), tmp_path / name)


def test_a_figure_that_cannot_be_drawn_leaves_the_file_that_was_there(tmp_path):
    path = style.save(style.new_figure(2, 1), tmp_path / "a.png")
    before = path.read_bytes()
    with pytest.raises(UserError, match="cannot draw"):
        style.save(style.new_figure(1e6, 1), path)
    assert path.read_bytes() == before


def test_save_refuses_unknown_formats_and_places(tmp_path):
    figure = style.new_figure(2, 1)
    with pytest.raises(UserError, match=r"end its name in \.png"):
        style.save(figure, tmp_path / "figure.nonsense")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the figure"):
        style.save(figure, tmp_path / "file" / "figure.png")


def test_a_figure_that_cannot_be_drawn_is_not_called_one_of_another_format(tmp_path):
    with pytest.raises(UserError, match=r"cannot draw the figure .*/b\.png: Image size .*large"):
        style.save(style.new_figure(1e6, 1), tmp_path / "b.png")
