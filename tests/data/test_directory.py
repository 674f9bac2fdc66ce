"""Folders of data: where fetched data is kept, and which files count."""

from pathlib import Path

import pytest

from nnjax.data import NAMES, Mnist, import_folder
from nnjax.data.directory import data_directory, given_path, visible_files, visible_folders
from nnjax.errors import UserError


def test_fetched_data_is_kept_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("NNJAX_DATA_DIR", str(tmp_path))
    assert data_directory() == tmp_path
    assert data_directory(Path("~/here")) == Path.home() / "here"
    monkeypatch.delenv("NNJAX_DATA_DIR")
    assert data_directory() == Path.home() / ".cache" / "nnjax"


def test_hidden_names_backups_and_clutter_are_out_of_sight(tmp_path):
    for name in ["b/2.txt", "b/c/1.txt", "a.txt", ".git/x", "b/.x/y.txt", "b/x.txt~", "b/._2.txt",
                 "__MACOSX/b/2.txt", "b/__MACOSX/2.txt", "Thumbs.db"]:  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = [str(path.relative_to(tmp_path)) for path in visible_files(tmp_path)]
    assert found == ["a.txt", "b/2.txt", "b/c/1.txt"]
    assert visible_folders(tmp_path) == [tmp_path / "b"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_file_system_takes_is_one_sentence(name):
    with pytest.raises(UserError, match=r"the path .* cannot be read") as error:
        given_path(Path(name))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_so_do_the_folder_of_downloads_and_an_import(name):
    with pytest.raises(UserError, match="cannot be read"):
        Mnist(data_dir=Path(name)).load()
    with pytest.raises(UserError, match="cannot be read"):
        import_folder("mine", Path(name))


@pytest.mark.parametrize("source", ["cifar10", "csv", "idx", "image_folder", "mnist", "npz"])
@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_every_source_refuses_it(source, name):
    with pytest.raises(UserError, match="cannot be read"):
        NAMES[source](path=Path(name)).load()
