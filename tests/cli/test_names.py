"""A path is shown and used as it is: brackets are no markup, and stars no pattern."""

import shutil

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


def test_a_sweep_in_a_directory_of_any_name(config_file, nnjax, tmp_path, refused):
    words = ("sweep", config_file, "--over", "data.far", 1, 2, "--epochs", 1)
    done = nnjax(*words, "--sweep-dir", tmp_path / "lr [0.1]", "--quiet")
    assert done.status == 0, done.err
    for trial in ("0000", "0001"):
        assert int(open_trained(tmp_path / "lr [0.1]" / "trials" / trial).state.step) == 4
    sentence = refused(*words, "--sweep-dir", tmp_path / "a\\b")
    assert "TensorStore takes a backslash for a slash" in sentence


def test_an_export_is_not_written_through_a_link(circles_run, nnjax, refused, tmp_path):
    run = tmp_path / "run"
    # Another test may have exported the shared run already.
    shutil.copytree(circles_run.directory, run, ignore=shutil.ignore_patterns("export"))
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (run / "export").symlink_to(tmp_path / "elsewhere")
    assert f"{run}/export is a symbolic link to {tmp_path}/elsewhere" in refused("export", run)
    (run / "export").unlink()
    (run / "export").mkdir()
    (run / "export" / ".model.safetensors.unfinished").symlink_to(tmp_path / "mine")
    assert nnjax("export", run).status == 0
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (run / "export" / "model.safetensors").is_symlink()
