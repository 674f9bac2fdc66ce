"""``nnjax sweep``: options, plans, workers, sweeps that are killed and gone on with."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import nnjax as package
from nnjax.cli import sweep_devices
from nnjax.cli.commands import sweep
from nnjax.cli.main import main
from nnjax.errors import UserError
from nnjax.sweeps import Search
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import DEATHS, PROGRAM, REASON, Study
from nnjax.sweeps.run import processes
from nnjax.sweeps.run.worker import Worker

CONFIG = '''"""Circles by a small net, without a script of its own."""

from nnjax.data import Circles
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.training import Experiment, Training

config = Experiment(
    data=Circles(),
    learner=Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=0.1)),
    training=Training(epochs=4, batch_size=50, checkpoint_seconds=0.05),
)
'''

SOURCE = str(Path(package.__file__).parent.parent)

OVER = ("--over", "optimizer.learning-rate", "0.1", "0.3", "--over", "seed", "0..1")


@pytest.fixture
def circles(tmp_path, monkeypatch):
    """``rings.py`` in a folder that is also the current one."""
    monkeypatch.chdir(tmp_path)
    # Processes that a sweep in this one starts take the same code.
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    (tmp_path / "rings.py").write_text(CONFIG)
    return "rings.py"


@pytest.fixture(scope="module")
def ended_sweep(tmp_path_factory):
    """A folder with ``rings.py`` and its sweep ``out``, which is done; and what was printed."""
    folder = tmp_path_factory.mktemp("ended")
    (folder / "rings.py").write_text(CONFIG)
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        assert main(["sweep", "rings.py", *OVER, "--members", "4", "--sweep-dir", "out"]) == 0
    return folder, printed.getvalue()


@pytest.fixture
def ended(ended_sweep, monkeypatch):
    """The same folder as the current one; what the sweep printed."""
    folder, printed = ended_sweep
    monkeypatch.chdir(folder)
    return printed


def study_of(directory):
    return Study(Path(directory), Search())


def start(*words):
    """Starts ``nnjax`` as a process."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "nnjax", *map(str, words)],
        env={**os.environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Waits for a process that succeeds; returns what it printed."""
    output, errors = process.communicate(timeout=280)
    assert (process.returncode, errors) == (0, ""), output + errors
    return output


def wait_for(condition, process=None):
    deadline = time.monotonic() + 120
    while not condition():
        if process is not None:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def owners(directory):
    """Those who work on the trials, or have."""
    trials = study_of(directory).trials()
    return {owner for trial in trials if (owner := trial.user_attrs.get("owner"))}


def records(directory):
    """Lines of metrics of all trials."""
    return sum(
        file.read_bytes().count(b"\n") for file in Path(directory).glob("trials/*/metrics.jsonl")
    )


def everything(directory):
    return {
        file.parent.name: file.read_bytes()
        for file in Path(directory).glob("trials/*/metrics.jsonl")
    }


def test_a_grid_to_its_table(ended, nnjax):
    assert "4 trials: 4 complete" in ended
    assert "mean" in ended
    assert study_of("out").counts() == {"complete": 4}
    run = SweepDirectory.open(Path("out")).open_trial(3)
    assert run.read_config().learner.optimizer.learning_rate == 0.3
    assert nnjax("evaluate", "out/trials/0003").status == 0


def test_a_word_with_spaces_is_one_value_where_the_field_holds_one(circles, nnjax):
    words = ("--over", "monitor", "train loss", "test accuracy", "--dry-run", "--members", "1")
    done = nnjax("sweep", circles, *words, "--over", "model.features", "8 4")
    assert "2 trials in" in done.out, done.err


@pytest.mark.parametrize("recorded", [True, False])
def test_a_trial_of_ones_own_classes_can_be_opened(config_file, nnjax, monkeypatch, recorded):
    """Also from elsewhere, with what the file imports, and where older sweeps recorded the copy."""
    config_file.with_name("beside_my_net.py").write_text("RATE = 0.1")
    config_file.write_text("from beside_my_net import RATE\n" + config_file.read_text())
    words = ("--over", "data.far", 1, 2, "--smoke", "--members", 2, "--sweep-dir", "out")
    assert nnjax("sweep", config_file, *words).status == 0
    trial = Path("out/trials/0001").absolute()
    environment = json.loads((trial / "environment.json").read_text())
    assert environment["config_file"] == str(config_file)
    if not recorded:
        copy = str(trial.parents[1] / "config.py")
        (trial / "environment.json").write_text(json.dumps({**environment, "config_file": copy}))
    else:
        monkeypatch.chdir("/")
        monkeypatch.delitem(sys.modules, "beside_my_net")
    monkeypatch.delitem(sys.modules, "nnjax_file_my_net")
    # The signature of the trial names the file that was recorded.
    done = nnjax("evaluate", trial, *([] if recorded else ["--trust"]))
    assert "equal to summary.json" in done.out, done.err


def test_the_plan_before_anything_is_trained(circles, nnjax, tmp_path):
    over = (*OVER, "--over", "model.features", "4", "8 4", "--members", "1")
    done = nnjax("sweep", circles, *over, "--dry-run")
    assert done.status == 0, done.err
    assert "8 trials in 2 programs" in done.out
    assert "model.features splits the sweep: it is no number" in done.out
    assert "optimizer.learning_rate" in done.out
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != "") == ["rings.py"]


def test_classes_and_their_options(circles, nnjax):
    over = ("--over", "optimizer", "adam", "sgd", "--over", "optimizer.learning-rate", "0.01")
    words = ("--members", "1", "--sweep-dir", "out")
    assert nnjax("sweep", circles, *over, *words).status == 0
    runs = [SweepDirectory.open(Path("out")).open_trial(number) for number in range(2)]
    made = [run.read_config().learner.optimizer for run in runs]
    assert [type(one).__name__ for one in made] == ["Adam", "SGD"]
    assert {one.learning_rate for one in made} == {0.01}


def test_seeds_of_one_run(circles, nnjax):
    done = nnjax("train", circles, "--seeds", "3", "--seed", "5", "--run-dir", "out")
    assert done.status == 0, done.err
    seeds = [
        SweepDirectory.open(Path("out")).open_trial(n).read_config().training.seed for n in range(3)
    ]
    assert seeds == [5, 6, 7]
    assert "mean" in done.out


@pytest.mark.parametrize(
    "line",
    [
        "--seeds 3 --seed 5 --run-dir out",
        "--seeds=3 --seed=5 --run-dir=out",
        "--seed=5 --seeds 3 --run_dir=out",
    ],
)
def test_seeds_are_written_in_every_way_of_an_option(circles, nnjax, monkeypatch, line):
    monkeypatch.setattr(sweep, "run", lambda words: print(*words) or 0)
    words = nnjax("train", circles, *line.split()).out.replace("=", " ").split()
    assert words == ["rings.py", "--sweep-dir", "out", "--over", "seed", "5..7"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "a sweep needs values to try"),
        (("--over",), "--over needs a field and values"),
        (("--over", "seed"), "--over seed needs values"),
        (("--over", "optimizer.learning-rat", "1"), "--over optimizer.learning-rat: unknown field"),
        (("--over", "optimizer.learning-rate", "fast"), "--over optimizer.learning-rate: "),
        (("--over", "optimizer.learning-rate", "-1"), "--over optimizer.learning-rate: the"),
        (("--over", "seed", "0..1", "--over", "seed", "3"), "--over seed is there twice"),
        (("--over", "seed", "0..1", "--trials", "3"), "a grid has its own number of trials"),
        (("--over", "seed", "0..1", "--sampler", "tpe"), "--sampler tpe needs the number"),
        (("--over", "seed", "0..1", "--sampler", "tp"), "--sampler has no choice 'tp'"),
        (("--over", "seed", "0..1", "--metric", "test speed"), "monitor 'test speed' is not"),
        (
            ("--over", "optimizer.learning-rate", "log:0.1..1"),
            "a grid over 0.1..1 needs the number",
        ),
        (("--over", "seed", "0..1", "--devices", "some"), "the number of workers is a positive"),
        (("--over", "seed", "0..1", "--devices=some"), "the number of workers is a positive"),
        (
            ("--over", "seed", "0..1", "--spread", "-1"),
            "--spread takes a positive number of devices, or 0 for all, not -1",
        ),
        (
            ("--over", "seed", "0..1", "--spread=-2", "--devices=2"),
            "--spread takes a positive number of devices, or 0 for all, not -2",
        ),
        (("--over", "seed", "0..1", "--storage", "x://"), "the storage 'x://' cannot be used"),
    ],
)
def test_refused_in_one_sentence(circles, refused, words, sentence):
    assert refused("sweep", circles, *words, "--sweep-dir", "out").startswith(sentence)
    assert not Path("out").exists(), "in the way of the corrected command"


@pytest.mark.usefixtures("ended")
def test_another_sweep_in_the_directory(refused):
    other = ("--over", "seed", "0..1", "--sweep-dir", "out")
    assert "out holds another sweep" in refused("sweep", "rings.py", *other)


LONG = ("--epochs", "60", "--members", "3")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The metrics of a sweep that was never stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "rings.py").write_text(CONFIG)
    with contextlib.chdir(folder):
        words = ("sweep", "rings.py", *OVER, *LONG, "--sweep-dir", "whole", "--quiet")
        assert main(list(words)) == 0
        return everything("whole")


def third(metrics):
    """A third of the lines of all trials."""
    return sum(content.count(b"\n") for content in metrics.values()) // 3


def test_a_sweep_that_is_killed_is_gone_on_with(circles, nnjax, undisturbed):
    killed = start("sweep", circles, *OVER, *LONG, "--sweep-dir", "killed")
    wait_for(lambda: records("killed") > third(undisturbed), killed)
    killed.kill()
    killed.communicate(timeout=60)
    done = nnjax("resume", "killed")
    assert (done.status, done.err) == (0, "")
    assert "4 complete" in done.out
    assert everything("killed") == undisturbed


def test_a_sweep_that_is_asked_to_stop_saves_and_says_how_to_go_on(circles, nnjax, undisturbed):
    """By SIGTERM, while it trains."""

    def stop():
        wait_for(lambda: records("stopped") > third(undisturbed))
        os.kill(os.getpid(), signal.SIGTERM)

    # Were it late, the signal would end the tests.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    thread = threading.Thread(target=stop)
    thread.start()
    try:
        done = nnjax("sweep", circles, *OVER, *LONG, "--sweep-dir", "stopped")
        thread.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "stopped; go on with: nnjax resume stopped" in done.err
    assert study_of("stopped").counts()["running"] == 0
    assert nnjax("resume", "stopped").status == 0
    assert everything("stopped") == undisturbed


def test_two_processes_do_not_conduct_one_sweep(ended, refused):
    with SweepDirectory.open(Path("out")).locks.conducting():
        sentence = refused("resume", "out")
    assert sentence == (
        "out is being carried through by another process; add a worker to it with: "
        "nnjax sweep --join out"
    )


@pytest.mark.parametrize("line", ["--devices 2", "--devices=2", "--workers=2"])
def test_devices_are_workers(circles, nnjax, monkeypatch, line):
    asked = []

    class Workers:
        def __init__(self, directory, study, environments, on_change):
            experiment = json.loads(Path("out/sweep.json").read_text())["experiment"]
            asked.append((len(environments), fields_named("devices", experiment)))

        def work(self):
            raise UserError("enough")

    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv(sweep_devices.GPUS, "")
    monkeypatch.setattr(processes, "Workers", Workers)
    done = nnjax("sweep", circles, "--over", "seed", "0..1", *line.split(), "--sweep-dir", "out")
    assert done.err == "nnjax: enough\n"
    assert asked == [(2, [1])]


def fields_named(name, tree):
    """All values of that name in a tree of JSON."""
    found = [tree[name]] if name in tree else []
    inner = [value for value in tree.values() if isinstance(value, dict)]
    return sum((fields_named(name, value) for value in inner), found)


@pytest.mark.parametrize("line", ["--devices=2", "--devices 2", "--workers=all"])
def test_this_process_leaves_the_gpus_to_workers(circles, nnjax, monkeypatch, line):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv(sweep_devices.GPUS, "to be restored")
    monkeypatch.delenv(sweep_devices.GPUS)
    monkeypatch.setattr(sweep_devices, "visible_gpus", lambda: ["3", "5"])
    nnjax("sweep", circles, *line.split())
    assert os.environ[sweep_devices.GPUS] == "3,5"


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced(circles, nnjax):
    killed = []

    def kill_one():
        wait_for(lambda: records("out") > 10)
        names = [name.removesuffix(".lock") for name in os.listdir("out/workers")]
        (victim, *_) = (int(name.split("-")[-2]) for name in names if name.count("-") >= 2)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill_one)
    killer.start()
    options = ("--epochs", "400", "--members", "1", "--devices", "2", "--sweep-dir", "out")
    done = nnjax("sweep", circles, *OVER, *options)
    killer.join()
    assert (done.status, len(killed)) == (0, 1), done.err
    study = study_of("out")
    assert study.counts() == {"complete": 4}
    assert sum(trial.user_attrs.get(DEATHS, 0) for trial in study.trials()) == 1


@pytest.mark.slow
def test_a_trial_that_kills_its_workers_fails_and_the_rest_is_done(circles, nnjax):
    deadly = CONFIG.replace(
        "config = ",
        "import dataclasses, os\n\n\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Deadly(Supervised):\n"
        '    """Kills its process where the rate is 0.3, traced or not."""\n\n'
        "    def init(self, key, example):\n"
        "        import jax\n"
        "        def look(rate):\n"
        "            if abs(float(rate) - 0.3) < 1e-6:\n"
        "                os.kill(os.getpid(), 9)\n"
        "        jax.debug.callback(look, self.optimizer.learning_rate)\n"
        "        return super().init(key, example)\n\n\n"
        "config = ",
    ).replace("learner=Supervised", "learner=Deadly")
    Path("deadly.py").write_text(deadly)
    over = ("--over", "optimizer.learning-rate", "0.1", "0.3", "0.2")
    done = nnjax("sweep", "deadly.py", *over, "--devices", "2", "--sweep-dir", "out")
    assert done.status == 0, done.err
    study = study_of("out")
    assert study.counts() == {"complete": 2, "fail": 1}
    assert study.trials()[1].user_attrs[REASON].startswith("its worker died 3 times")


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(("parent", "left"), [("1", True), ("", False)])
def test_a_worker_leaves_the_dead_to_its_parent(nnjax, monkeypatch, parent, left):
    """The parent counts their deaths; a trial that kills every worker would go on otherwise."""
    path = shutil.copytree("out", "left" if left else "taken")
    study = study_of(path)
    study.add(study.trials()[0].params, study.trials()[0].distributions)
    study.note(4, PROGRAM, 0)
    assert study.claim(0, 1, "a-worker-that-died")
    monkeypatch.setenv(processes.PARENT, parent)
    monkeypatch.setattr(Worker, "work", lambda worker: None)
    assert nnjax("sweep", "--join", path).status == 0
    assert study.owners() == ({"a-worker-that-died"} if left else set())


@pytest.mark.slow
def test_a_worker_joins_from_elsewhere(circles, nnjax, monkeypatch):
    """It has claimed a trial before this process claims its first."""
    joined = []
    work = Worker.work

    def join_and_work(worker):
        joined.append(start("sweep", "--join", "out"))
        wait_for(lambda: owners("out"), joined[0])
        work(worker)

    monkeypatch.setattr(Worker, "work", join_and_work)
    over = (*OVER, "--epochs", "100", "--members", "1")
    done = nnjax("sweep", circles, *over, "--sweep-dir", "out")
    assert done.status == 0, done.err
    finish(joined[0])
    assert len(owners("out")) == 2
    assert study_of("out").counts() == {"complete": 4}


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("command", ["evaluate", "compare", "export"])
def test_a_sweep_is_no_run(refused, command):
    sentence = "out is a sweep; give one of its trials, such as out/trials/0000, or see them all"
    assert refused(command, "out").startswith(sentence)


@pytest.mark.usefixtures("ended")
def test_the_same_sweep_on_other_devices(nnjax):
    words = ("--members", "4", "--sweep-dir", "out", "--spread", "4")
    assert nnjax("sweep", "rings.py", *OVER, *words).status == 0


def test_another_storage(circles, nnjax, tmp_path):
    words = ("--members", "2", "--storage", f"sqlite:///{tmp_path}/record.db")
    done = nnjax("sweep", circles, "--over", "seed", "0..1", *words, "--sweep-dir", "out")
    assert done.status == 0, done.err
    assert "2 trials: 2 complete" in done.out
    assert (tmp_path / "record.db").is_file()
    assert not (tmp_path / "out" / "journal.log").exists()


@pytest.mark.slow
def test_workers_on_a_cluster_of_ray(circles):
    pytest.importorskip("ray")
    process = start(
        "sweep", circles, *OVER, "--engine", "ray", "--devices", "2", "--sweep-dir", "out"
    )
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, output + errors
    assert study_of("out").counts() == {"complete": 4}


def test_ray_that_is_not_there(circles, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ("--over", "seed", "0..1", "--engine", "ray", "--sweep-dir", "out")
    assert refused("sweep", circles, *words).startswith("--engine ray needs Ray: pip install")


def test_join_needs_a_sweep(refused, tmp_path):
    assert "is no sweep" in refused("sweep", "--join", tmp_path)
