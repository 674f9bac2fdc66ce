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


def test_an_unknown_path_is_still_unknown():
    with pytest.raises(ModuleNotFoundError, match=r"nnjax\.layers\.recurrentt"):
        importlib.import_module("nnjax.layers.recurrentt")
