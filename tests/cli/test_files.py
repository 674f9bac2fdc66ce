"""Loading files by path: what they may import."""

import sys

import pytest

from nnjax.cli import files


@pytest.fixture(autouse=True)
def path_restored(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(files, "_folders", list(files._folders))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def project(folder, number, *, package=False):
    """A file that imports the number from a module, or from a package, beside it."""
    beside = folder / "nnjax_beside" / "numbers.py" if package else folder / "nnjax_beside.py"
    beside.parent.mkdir(parents=True, exist_ok=True)
    if package:
        (folder / "nnjax_beside" / "__init__.py").write_text("from .numbers import number\n")
    beside.write_text(f"number = {number}\n")
    (folder / "config.py").write_text("from nnjax_beside import number\n")
    return folder / "config.py"


@pytest.mark.parametrize("package", [False, True])
def test_two_projects_may_have_modules_of_one_name(tmp_path, package):
    first = project(tmp_path / "first", 1, package=package)
    second = project(tmp_path / "second", 2, package=package)
    for file, number in ((first, 1), (second, 2), (first, 1)):
        assert files.load(file).number == number


def test_a_module_of_an_earlier_project_is_not_what_the_next_one_finds(tmp_path):
    """Its folder stays importable, for what it imports when it runs, but comes later."""
    unused = tmp_path / "first" / "nnjax_beside.py"
    unused.parent.mkdir()
    unused.write_text("number = 1\n")
    (tmp_path / "first" / "config.py").write_text("")
    files.load(tmp_path / "first" / "config.py")
    assert files.load(project(tmp_path / "second", 2)).number == 2
    files.load(files.find_config("blobs"))
    assert files._folders[:1] == [str(tmp_path / "second")]
    assert str(tmp_path / "first") in sys.path


def test_what_is_importable_already_keeps_its_rank(tmp_path, monkeypatch):
    file = project(tmp_path, 1)
    monkeypatch.syspath_prepend(tmp_path)
    files.load(file)
    assert sys.path[0] == str(tmp_path)
