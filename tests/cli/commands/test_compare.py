"""``nnjax compare``: results and differences side by side."""

from nnjax.cli.main import main


def rows(printed):
    """The cells of each line, by the first."""
    cells = [line.split("  ") for line in printed.splitlines() if line.strip()]
    return {line[0].strip(): [cell.strip() for cell in line[1:] if cell.strip()] for line in cells}


def test_metrics_facts_and_differences(digits_run, circles_run, capsys):
    assert main(["compare", str(digits_run.directory), str(circles_run.directory)]) == 0
    table = rows(capsys.readouterr().out)
    accuracy = [run.read_summary()["test"]["accuracy"] for run in (digits_run, circles_run)]
    assert table["test accuracy"] == [f"{value:.4f}" for value in accuracy]
    assert table["parameters"] == ["1,135", "52"]
    assert table["data"] == ["Digits", "Circles"]
    assert table["batch_size"] == ["64", "50"]
    assert "seed" not in table
    assert "learner" not in table


def test_figure_where_asked_for(digits_run, circles_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs = [str(digits_run.directory), str(circles_run.directory)]
    assert main(["compare", *runs]) == 0
    assert not list(tmp_path.iterdir())
    assert main(["compare", *runs, "--figure", "pictures/compare.png"]) == 0
    assert (tmp_path / "pictures" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert "pictures/compare.png" in capsys.readouterr().out


def test_no_runs_given(capsys):
    assert main(["compare"]) == 1
    assert "give the runs to compare" in capsys.readouterr().err
