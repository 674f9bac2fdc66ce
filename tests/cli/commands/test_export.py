"""``nnjax export``: files that reload to what the run predicts."""

import numpy as np

from nnjax import export
from nnjax.cli.main import main
from nnjax.figures.prediction import predict
from nnjax.training.snapshot import read_trained


def test_exported_function_predicts_as_the_run(digits_run, tmp_path, capsys):
    assert main(["export", str(digits_run.directory), "--to", str(tmp_path / "out")]) == 0
    assert "reloaded to the same predictions" in capsys.readouterr().out
    experiment = digits_run.read_config()
    data = experiment.data.load()
    learner, state, _ = read_trained(experiment, digits_run, data)
    function = export.load_function(tmp_path / "out" / export.FUNCTION)
    predicted = function(data.split("test")["inputs"])
    expected = predict(learner, state, data, "test")
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)


def test_default_folder_and_no_overwriting(circles_run, capsys):
    assert main(["export", str(circles_run.directory)]) == 0
    assert (circles_run.directory / "export" / export.PARAMETERS).is_file()
    assert main(["export", str(circles_run.directory)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["export", str(circles_run.directory), "--overwrite"]) == 0
