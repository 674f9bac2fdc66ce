"""What all sources have in common."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from nnjax.data import NAMES, Source
from nnjax.errors import UserError
from nnjax.runs import config_json


@pytest.mark.parametrize("source", NAMES.values())
def test_it_is_a_source_of_documented_plain_options(source):
    options = source()
    assert isinstance(options, Source)
    for field in dataclasses.fields(source):
        assert any(f"{field.name}: " in (cls.__doc__ or "") for cls in source.__mro__), field.name


@pytest.mark.parametrize("source", NAMES.values())
def test_it_is_saved_and_parsed(source):
    options = source()
    assert config_json.from_json(config_json.to_json(options)) == options
    assert tyro.cli(source, args=[], default=options) == options


@pytest.mark.parametrize(
    "name",
    ["cifar10", "csv", "idx", "image_folder", "labelled_text", "mnist", "npz", "parallel_text",
     "recipes", "tagged_text", "text"],
)  # fmt: skip
def test_files_are_named_by_path_and_their_absence_is_one_sentence(name, tmp_path):
    options = tyro.cli(NAMES[name], args=["--path", str(tmp_path / "nowhere")])
    assert options.path == Path(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nowhere") as error:
        options.load()
    assert "\n" not in str(error.value)


def test_importing_them_imports_nothing_heavy():
    heavy = ["PIL", "flax", "grain", "pandas", "scipy", "sklearn", "tensorflow_datasets"]
    # JAX itself brings SciPy along; it is not ours to count.
    code = f"""
import sys, jax
before = set(sys.modules)
import nnjax.data
print([name for name in {heavy} if name in set(sys.modules) - before])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
