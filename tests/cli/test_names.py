"""A path is shown and used as it is: brackets are no markup, and stars no pattern."""

import pytest

from nnjax.cli.trained import open_trained

NAME = "lr [0.1] [bold]x[/y] * ~ :smile:"


@pytest.fixture
def named(config_file, nnjax, tmp_path):
    directory = tmp_path / NAME / "run"
    done = nnjax("train", config_file, "--run-dir", directory, "--quiet")
    assert (done.status, done.err) == (0, "")
    return directory


def test_a_run_in_a_directory_of_any_name(named, nnjax, tmp_path, refused):
    state = open_trained(named).state
    assert int(state.step) == 8
    done = nnjax("evaluate", named)
    assert done.status == 0, done.err
    assert f"{named}, parameters of step 8\n" in done.out
    assert "equal to summary.json, to the last digit" in done.out
    done = nnjax("export", named)
    assert done.status == 0, done.err
    assert f"  {named}/export/model.safetensors (" in done.out
    done = nnjax("compare", named)
    assert done.status == 0, done.err
    sentence = refused("train", tmp_path / "my-net.py", "--run-dir", named)
    assert sentence.endswith(
        f"go on with it by `nnjax resume '{named}'`, or choose another --run-dir"
    )


def test_a_directory_that_orbax_cannot_use_is_refused_before_anything_is_made(
    config_file, refused, tmp_path
):
    sentence = refused("train", config_file, "--run-dir", tmp_path / "a\\b")
    assert "TensorStore takes a backslash for a slash; rename the directory or choose" in sentence
    assert not (tmp_path / "a\\b").exists()
    assert not (tmp_path / "a").exists()
