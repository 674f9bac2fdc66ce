"""``nnjax list``."""

from nnjax.cli import files


def test_names_every_config_with_its_first_line(nnjax):
    done = nnjax("list")
    assert done.status == 0
    for name, file in files.config_files().items():
        assert name in done.out
        assert files.first_line(file).split()[0] in done.out


def test_takes_no_arguments(refused):
    assert refused("list", "all") == "nnjax list takes no arguments, not 'all'"


def test_a_broken_config_does_not_spoil_the_list(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def")
    assert files.first_line(file) == "(cannot be read as Python)"
    file.write_text("x = 1")
    assert files.first_line(file) == ""
