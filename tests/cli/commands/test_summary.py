"""``nnjax summary``: the layer table, without data."""

from nnjax.cli.main import main


def test_layers_and_length_of_the_run(capsys):
    assert main(["summary", "cnn2"]) == 0
    printed = capsys.readouterr().out
    assert "108,870" in printed
    assert "batch x 100" in printed
    assert "60,000" in printed


def test_options_are_those_of_train(capsys):
    assert main(["summary", "circles", "--model.features", "7"]) == 0
    assert "batch x 7" in capsys.readouterr().out


def test_usage(capsys):
    assert main(["summary"]) == 2
    assert "usage: nnjax summary" in capsys.readouterr().err


def test_unknown_config(capsys):
    assert main(["summary", "cnn22"]) == 1
    assert "did you mean 'cnn2'" in capsys.readouterr().err
