"""Import paths of 0.1.0."""

import importlib

import pytest

from nnjax.moved import MOVED


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_path_is_the_same_module(old):
    module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert module.__spec__.name == module.__name__ == MOVED[old]


def test_classes_of_modules_whose_path_is_now_a_package():
    from nnjax.data.text import Recipes, Text

    assert Text.__name__ == "Text"
    assert Recipes.__name__ == "Recipes"


def test_a_moved_module_does_not_hide_a_function_of_its_name():
    importlib.import_module("nnjax.sweeps.run_sweep")
    from nnjax import sweeps

    assert sweeps.run_sweep.__name__ == "run_sweep"
    assert callable(sweeps.run_sweep)
    hidden = [
        old
        for old in MOVED
        if isinstance(getattr(*_parts(old), None), type(importlib))
        and _parts(old)[1] in getattr(_parts(old)[0], "__all__", ())
    ]
    assert hidden == []


def _parts(path):
    package, _, name = path.rpartition(".")
    return importlib.import_module(package), name


def test_an_unknown_path_is_still_unknown():
    with pytest.raises(ModuleNotFoundError, match=r"nnjax\.layers\.recurrentt"):
        importlib.import_module("nnjax.layers.recurrentt")
