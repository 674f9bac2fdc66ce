"""``nnjax train`` on configs of a user's own."""

import json
import os
import shlex
import signal
import subprocess
import sys

import jax
import pytest
from marks import slow

from nnjax.cli import files
from nnjax.cli.commands import train
from nnjax.runs.run import Run
from nnjax.training.progress import Progress


def test_a_config_with_source_learner_and_main_of_its_own(config_file, nnjax):
    done = nnjax("train", "my-net.py")
    assert (done.status, done.err) == (0, "")
    assert "2/2" in done.out
    (directory,) = (config_file.parent / "runs" / "my-net").iterdir()
    run = Run.open(directory)
    assert run.read_summary()["status"] == "finished"
    assert run.read_summary()["steps"] == 8
    assert run.config_file.read_bytes() == config_file.read_bytes()
    assert run.environment["config_file"] == str(config_file)
    assert run.environment["seed"] == 0
    config = json.loads((directory / "config.json").read_text())
    assert config["learner"]["class"] == "nnjax_file_my_net.Gentle"
    assert [record["split"] for record in run.read_metrics()] == ["train", "test"] * 2


def test_options_reach_the_run(config_file, nnjax, tmp_path):
    words = (
        "--epochs 1 --optimizer adam --optimizer.learning-rate 0.01 --data.far 5 --model.width 3"
    )
    directory = tmp_path / "here"
    done = nnjax("train", config_file, "--run-dir", directory, "--quiet", *words.split())
    assert (done.status, done.out, done.err) == (0, "", "")
    experiment = Run.open(directory).read_config(
        {"nnjax_file_my_net": sys.modules["nnjax_file_my_net"]}
    )
    assert experiment.learner.optimizer.learning_rate == 0.01
    assert type(experiment.learner.optimizer).__name__ == "Adam"
    assert (experiment.data.far, experiment.learner.model.width) == (5.0, 3)
    assert Run.open(directory).read_summary()["epochs"] == 1


def test_other_data(config_file, nnjax, tmp_path):
    done = nnjax(
        "train",
        config_file,
        "--data",
        "blobs",
        "--data.examples",
        "50",
        "--run-dir",
        tmp_path / "x",
    )
    assert (done.status, done.err) == (0, "")


def test_smoke_stops_after_a_few_updates(config_file, nnjax, tmp_path):
    assert nnjax("train", config_file, "--smoke", "--run-dir", tmp_path / "x").status == 0
    assert Run.open(tmp_path / "x").read_summary()["steps"] == 3


def test_one_of_nnjaxs_own_keeps_no_copy(nnjax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "folder", lambda name: tmp_path / name)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "tiny.py").write_text(
        "from nnjax.data import Blobs\n"
        "from nnjax.learners import Supervised\n"
        "from nnjax.models import MLP\n"
        "from nnjax.optimizers import SGD\n"
        "from nnjax.training import Experiment, Training\n"
        "config = Experiment(data=Blobs(examples=20), training=Training(epochs=1, batch_size=4),\n"
        "    learner=Supervised(MLP(), optimizer=SGD(learning_rate=0.1)), script='short')\n"
    )
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "short.py").write_text(
        "from nnjax.training import fit\n"
        "def main(experiment, run, *, resume=False, quiet=False):\n"
        "    fit(experiment.learner, experiment.data.load(), experiment.training, run=run)\n"
    )
    assert nnjax("train", "tiny").status == 0
    assert Run.open(tmp_path / "runs" / "tiny").config_file is None


def test_a_script_given_runs_it(config_file, tmp_path):
    class Script:
        @staticmethod
        def main(experiment, run, *, quiet, resume):
            assert (experiment.training.epochs, quiet, resume) == (3, True, False)
            (run.directory / "ran").touch()

    words = [str(config_file), "--epochs", "3", "--quiet", "--run-dir", str(tmp_path / "x")]
    assert train.run(words, Script) == 0
    assert (tmp_path / "x" / "ran").exists()


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("nosuch", "there is no experiment 'nosuch'; 'nnjax list' names them all"),
        ("my-net", "there is no experiment 'my-net', did you mean 'my-net.py'?"),
        ("cn2", "there is no experiment 'cn2', did you mean 'cnn2'?"),
        ("none.py", "there is no config file 'none.py'"),
        ("my-net.py --epoch 1", "unknown option --epoch, did you mean '--epochs'?"),
        (
            "my-net.py --batch-size 41",
            "batch_size 41 is larger than the 40 training examples; give at most 40, or 0 for all "
            "of them",
        ),
        (
            "my-net.py --devices 5",
            "5 devices were asked for, this machine has 4 cpu devices; give --devices 4, or 0 for "
            "all there are",
        ),
        (
            "my-net.py --monitor validation",
            "monitor 'validation' is not a split and a metric measured here; the splits are train, "
            "test and the metrics loss, accuracy",
        ),
    ],
)
def test_refused_in_one_sentence_and_nothing_left(config_file, refused, words, sentence):
    assert refused("train", *words.split()) == sentence
    assert not list(config_file.parent.glob("runs/*/*"))


def test_a_refused_run_directory_can_be_used_again(config_file, refused, nnjax, tmp_path):
    refused("train", config_file, "--run-dir", tmp_path / "x", "--batch-size", 1000)
    assert nnjax("train", config_file, "--run-dir", tmp_path / "x").status == 0


def test_a_run_that_raised_an_error_at_once_can_be_made_again(config_file, nnjax, tmp_path):
    good = config_file.read_text()
    config_file.write_text(good.replace("draw = ", "draw = {}['gone']; "))
    with pytest.raises(KeyError):
        nnjax("train", config_file, "--run-dir", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    del sys.modules["nnjax_file_my_net"]
    config_file.write_text(good)
    assert nnjax("train", config_file, "--run-dir", tmp_path / "x", "--smoke").status == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1", "defines no config; it must define config = Experiment(...)"),
        ("config = 3", "defines a config of type int; it must define config = Experiment(...)"),
        ("import numpy\n1 / 0", ", line 2: ZeroDivisionError: division by zero"),
        ("def f(:", ", line 1: SyntaxError: "),
        ("import nosuchmodule", ", line 1: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(3)", "bad.py, line 2: SystemExit: 3"),
        (
            "from nnjax.models import MLP\nMLP(features=4)",
            "bad.py, line 2: the width of a hidden layer is given for each, as (4,), not as 4",
        ),
        (
            "from nnjax.models import MLP\n\nMLP(features=(0,))",
            "bad.py, line 3: the width of a hidden layer must be at least 1, not 0",
        ),
        (
            "from nnjax.data import Blobs\nfrom nnjax.learners import Supervised\n"
            "from nnjax.models import MLP\nfrom nnjax.training import Experiment, Training\n"
            "learner = Supervised(model=MLP(), optimizer='adam')\n"
            "config = Experiment(data=Blobs(), learner=learner, training=Training(epochs=1))",
            "bad.py: optimizer must be a value of type Optimizer or a function, not 'adam'",
        ),
    ],
)
def test_a_config_file_that_is_none(tmp_path, refused, text, sentence):
    file = tmp_path / "bad.py"
    file.write_text(text)
    assert sentence in refused("train", file)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("data=Clouds()", "data=None", "data must be a source, such as Digits(); None has no meth"),
        ("data=Clouds()", "data=Clouds", "Digits(), not the class Clouds: call it"),
        ("learner=Gentle", "learner=None and Gentle", "learner must be a learner, such as Superv"),
        ("training=Training", "training=None and Training", "training must be options, such as T"),
        (", resume=False", "", "my-net.py defines a main that cannot be called as main(experimen"),
        ("def main(", "main = 3\ndef _(", "my-net.py defines a main that cannot be called as m"),
    ],
)
def test_a_config_file_with_something_wrong(config_file, refused, old, new, sentence):
    text = config_file.read_text()
    assert text.count(old) == 1
    config_file.write_text(text.replace(old, new))
    assert sentence in refused("train", config_file, "--quiet")
    assert not list(config_file.parent.glob("runs/*/*"))


@pytest.mark.parametrize(
    ("loads", "kind"), [("return dict(splits=", "dict"), ("dict(splits=", "NoneType")]
)
def test_a_source_that_gives_no_data(config_file, refused, loads, kind):
    text, _, _ = config_file.read_text().partition("def main(")
    config_file.write_text(text.replace("return Dataset(", loads))
    sentence = f"the data is of type {kind}; it must be a Dataset or a Stream"
    assert refused("train", config_file).startswith(sentence)
    assert refused("summary", config_file).startswith(sentence)
    assert not list(config_file.parent.glob("runs/*/*"))


def test_run_directory_of_a_run(config_file, nnjax, refused, tmp_path):
    nnjax("train", config_file, "--run-dir", tmp_path / "x")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "x").rglob("*")}
    words = ("train", config_file, "--run-dir", tmp_path / "x")
    assert "holds a run of this config already; go on with it by `nnjax resume" in refused(*words)
    sentence = refused(*words, "--seed", 1, "--l2", 0.5)
    assert "holds a run of another config (learner.l2: 0.0 there, 0.5 here, tr" in sentence
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "x").rglob("*")} == before


def test_run_directory_of_a_file_that_was_changed(config_file, nnjax, refused, tmp_path):
    words = ("train", config_file, "--run-dir", tmp_path / "x", "--smoke")
    nnjax(*words)
    config_file.write_text(config_file.read_text().replace("nn.tanh", "nn.relu"))
    sentence = refused(*words)
    assert f"holds a run of {config_file} as it was before, which `nnjax resume" in sentence
    assert f"copy the file over {tmp_path / 'x' / 'config.py'} first, or choose" in sentence


def test_run_directory_with_something_else_in_it(config_file, refused, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").touch()
    assert "is not empty and holds no run" in refused("train", config_file, "--run-dir", "x")
    assert "is a file" in refused("train", config_file, "--run-dir", "x/thesis.tex")
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["thesis.tex"]


def test_a_disk_that_cannot_be_written(config_file, refused):
    sentence = refused("train", config_file, "--run-dir", "/dev/null/x")
    assert sentence.startswith("cannot write /dev/null/x: Not a directory; make room or choose")


def test_a_disk_that_fills_while_training(config_file, nnjax, tmp_path, same_parameters):
    """What was saved before stays, and the run goes on when there is room again."""
    whole, filled = tmp_path / "whole", tmp_path / "filled"
    common = ("train", config_file, "--model.width", 3000, "--checkpoint-seconds", 0)
    nnjax(*common, "--run-dir", whole)
    # In a process of its own: threads of Orbax complain at leisure when a save has failed.
    nnjax_process = [sys.executable, "-m", "nnjax", *map(str, common), "--run-dir", str(filled)]
    limited = ["bash", "-c", f"ulimit -f 20; {shlex.join(nnjax_process)}"]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("nnjax: cannot save a checkpoint in ")
    assert "File too large; make room there" in done.stderr
    assert done.stderr.count("\n") == 1
    if not filled.exists():
        pytest.fail("the run was deleted")
    assert nnjax("resume", filled).status == 0
    same_parameters(whole, filled)


# Signals and losses ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGINT)])
def test_a_signal_saves_and_says_how_to_go_on(
    config_file, refused, nnjax, tmp_path, monkeypatch, number, same_parameters
):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    nnjax("train", config_file, "--run-dir", whole, "--epochs", 5)
    with monkeypatch.context() as patch:
        update = Progress.update

        def stop_at_six(self, *, step, **reports):
            update(self, step=step, **reports)
            if step >= 6:
                os.kill(os.getpid(), number)

        patch.setattr(Progress, "update", stop_at_six)
        done = nnjax("train", config_file, "--run-dir", stopped, "--epochs", 5)
    assert done.status == 128 + number
    step = Run.open(stopped).read_summary()["step"]
    hint = f"nnjax: stopped at step {step} of 20; go on with: nnjax resume {stopped}\n"
    assert done.err == hint
    assert Run.open(stopped).status == "interrupted"
    assert nnjax("resume", stopped).status == 0
    same_parameters(whole, stopped)
    assert (stopped / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_a_loss_that_is_not_finite(config_file, refused, tmp_path):
    words = ("--loss", "mean_squared_error", "--metrics", "mean_absolute_error", "--epochs", "50")
    sentence = refused(
        "train", config_file, *words, "--optimizer.learning-rate", 1e30, "--run-dir", tmp_path / "x"
    )
    assert "the loss became NaN or infinite at step " in sentence
    assert "checkpoint" in sentence
    assert Run.open(tmp_path / "x").status == "diverged"


def test_the_compilation_cache_is_the_users_where_there_is_one(monkeypatch, tmp_path):
    from nnjax.cli import compilation_cache

    chosen = jax.config.values["jax_compilation_cache_dir"]
    compilation_cache.enable()
    assert jax.config.values["jax_compilation_cache_dir"] == chosen
    monkeypatch.setenv("NNJAX_DATA_DIR", str(tmp_path))
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.enable()
        assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "compiled")
    finally:
        jax.config.update("jax_compilation_cache_dir", chosen)


def test_a_compiled_program_cut_short_by_a_full_disk_is_compiled_anew(tmp_path):
    program = (
        "import jax; from nnjax.cli import compilation_cache; compilation_cache.enable();"
        "print(jax.jit(lambda x: 3 * x)(14))"
    )
    chosen = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    for _ in range(2):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, env=chosen, check=True)
        assert (done.stdout, done.stderr) == ("42\n", "")
        programs = list(tmp_path.glob("*-cache"))
        assert programs
        for file in programs:
            file.write_bytes(file.read_bytes()[:100])
