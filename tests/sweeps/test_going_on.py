"""Going on with a sweep: with others at work, with parts of it lost, after its file was edited."""

import shutil
import threading
import time

import pytest

from nnjax.errors import UserError
from nnjax.sweeps import Search, Sweep, run_sweep
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.results import results
from nnjax.sweeps.record.study import PROGRAM, Study
from nnjax.sweeps.run import conduct


@pytest.fixture(scope="module")
def swept(quick, tmp_path_factory):
    sweep = Sweep(experiment=quick, over={"seed": (0, 1)})
    return run_sweep(sweep, tmp_path_factory.mktemp("swept") / "sweep")


@pytest.fixture
def ended(swept, copied):
    """A sweep of two trials that is done."""
    return copied(swept)


def add(swept, sweep):
    """Adds a waiting trial, of the values of the first."""
    distributions = {path: one.distribution() for path, one in sweep.space.items()}
    swept.study.add(swept.study.trials()[0].params, distributions)
    swept.study.note(2, PROGRAM, 0)


def test_a_sweep_is_done_when_those_who_joined_are(quick, ended):
    sweep = Sweep(experiment=quick, over={"seed": (0, 1)})
    add(ended, sweep)

    def train(name):
        time.sleep(1.5)
        Study(ended.directory.directory, Search()).complete(2, 0.5)

    with ended.directory.locks.working() as name:
        assert len(ended.study.claim(0, 1, name)) == 1
        other = threading.Thread(target=train, args=(name,))
        other.start()
        conduct.conduct(sweep, ended.directory, ended.study, Planner(SharedData()), pytest.fail)
        other.join()
    assert ended.study.counts() == {"complete": 3}


@pytest.mark.parametrize("lost", ["trials/0002", "programs.json"])
def test_what_is_lost_of_a_waiting_trial_is_made_again(quick, ended, lost):
    sweep = Sweep(experiment=quick, over={"seed": (0, 1)})
    add(ended, sweep)
    planner = Planner(SharedData())
    conduct.make_ready(sweep, ended.directory, ended.study, planner)
    path = ended.directory.directory / lost
    assert path.exists()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    conduct.make_ready(sweep, ended.directory, ended.study, planner)
    assert ended.directory.open_trial(2).status == "waiting"
    assert ended.study.trials()[2].user_attrs[PROGRAM] == 0
    assert list(ended.directory.read_programs()) == ["0"]


def test_a_damaged_summary_hides_no_other_trial(ended):
    (ended.directory.trial(0) / "summary.json").write_text('{"status": "fini')
    one, other = sorted(results(ended.directory, ended.study), key=lambda result: result.number)
    assert (one.summary, one.state) == ({}, "complete")
    assert other.summary["status"] == "finished"


@pytest.mark.slow
def test_sweeps_of_one_name_share_a_storage_but_no_trials(quick, sweep_to_end, tmp_path):
    search = Search(storage=f"sqlite:///{tmp_path / 'all.db'}")
    for name, seeds in (("a/same", (0,)), ("b/same", (1, 2))):
        swept = sweep_to_end(Sweep(experiment=quick, over={"seed": seeds}, search=search), name)
        assert [trial.params["seed"] for trial in swept.study.trials()] == list(seeds)
        assert sorted(path.name for path in swept.directory.directory.glob("trials/*")) == [
            f"{number:04d}" for number in range(len(seeds))
        ]
    again = Sweep(experiment=quick, over={"seed": (1, 2)}, search=search)
    assert sweep_to_end(again, "b/same").study.counts() == {"complete": 2}


def test_a_file_that_was_edited_is_another_sweep(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("rates = [0.1, 0.2]\n")
    made = SweepDirectory.create("mine", {}, directory=tmp_path / "sweep", config_file=file)
    again = SweepDirectory.create("mine", {}, directory=tmp_path / "sweep", config_file=file)
    assert again.study == made.study
    file.write_text("rates = [0.5, 0.7, 0.9]\n")
    with pytest.raises(UserError, match="sweep holds another sweep"):
        SweepDirectory.create("mine", {}, directory=tmp_path / "sweep", config_file=file)
    with pytest.raises(UserError, match="sweep holds another sweep"):
        SweepDirectory.create("mine", {}, directory=tmp_path / "sweep")


def test_workers_read_the_words_of_the_last_command_line(tmp_path):
    for words in (["--spread", "4"], []):
        made = SweepDirectory.create("blobs", {"words": words}, directory=tmp_path / "sweep")
        assert made.command_line == words
        assert SweepDirectory.open(tmp_path / "sweep").command_line == words


def test_a_sweep_from_python_is_gone_on_with_from_python(ended):
    with pytest.raises(UserError, match="was begun from Python; go on by running the script"):
        _ = ended.directory.command_line
