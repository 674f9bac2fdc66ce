"""Sweeps whose worker dies as a trial ends: gone on with, they are as if it had not died."""

import dataclasses

import pytest
from marks import slow

from nnjax.runs.run import Run
from nnjax.sweeps import Search, Sweep
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.population.member import Member
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import Study


class Killed(Exception):
    """Stands for the death of a worker."""


def die(*_):
    raise Killed


@pytest.fixture
def killed_and_gone_on_with(sweep_to_end, monkeypatch, tmp_path):
    """Carries a sweep through whose worker dies the first time that it calls a method."""

    def run(sweep, owner, method, instead=die, meanwhile=lambda directory: None):
        opened = []
        open_trial = SweepDirectory.open_trial

        def note(*words):
            opened.append(open_trial(*words))
            return opened[-1]

        with monkeypatch.context() as patch:
            patch.setattr(SweepDirectory, "open_trial", note)
            patch.setattr(owner, method, instead)
            with pytest.raises(Killed):
                sweep_to_end(sweep, "killed")
        for trial in opened:  # as the system does at the death of a process
            trial.close()
        meanwhile(tmp_path / "killed")
        return sweep_to_end(sweep, "killed")

    return run


def records(swept):
    """The bytes of the metrics of every trial."""
    return {
        path.parent.name: path.read_bytes()
        for path in swept.directory.directory.glob("trials/*/metrics.jsonl")
    }


@pytest.fixture(params=[True, *slow(False)], ids=["at once", "one by one"])
def one_way(request, monkeypatch):
    """Trials train in a population, or each as ``nnjax train`` does."""
    plan = Planner.program
    monkeypatch.setattr(
        Planner, "program", lambda *words: dataclasses.replace(plan(*words), together=request.param)
    )


@pytest.mark.usefixtures("one_way")
def test_a_trial_with_no_whole_checkpoint_begins_anew(
    quick, with_training, sweep_to_end, killed_and_gone_on_with, capsys
):
    calls = iter(range(100))
    append = Run.append_timings

    def die_in_the_second_epoch(*words):
        append(*words)
        if next(calls) == 3:
            die()

    def damage(directory):
        records = list(directory.glob("trials/*/checkpoints/*/record/metadata"))
        assert records
        for file in records:
            file.write_bytes(b"")

    experiment = with_training(quick, epochs=4, checkpoint_seconds=0)
    sweep = Sweep(experiment=experiment, over={"l2": (0.0, 0.1)}, search=Search(members=2))
    whole = sweep_to_end(sweep, "whole")
    again = killed_and_gone_on_with(sweep, Run, "append_timings", die_in_the_second_epoch, damage)
    assert "trial 0 begins anew: every checkpoint in " in capsys.readouterr().err
    assert list(again.directory.directory.glob("trials/*/checkpoints/set-aside-*"))
    assert again.study.counts() == {"complete": 2}
    assert records(again) == records(whole)


@pytest.mark.slow  # a population of another size, to the same bytes
@pytest.mark.usefixtures("one_way")
def test_before_a_finished_trial_is_on_record(quick, sweep_to_end, killed_and_gone_on_with):
    sweep = Sweep(experiment=quick, over={"l2": (0.0, 0.1)}, search=Search(members=2))
    whole = sweep_to_end(sweep, "whole")
    again = killed_and_gone_on_with(sweep, Study, "complete")
    assert again.study.counts() == {"complete": 2}
    assert [t.value for t in again.study.trials()] == [t.value for t in whole.study.trials()]
    assert records(again) == records(whole)


def test_before_a_pruned_trial_is_on_record(
    quick, with_training, killed_and_gone_on_with, monkeypatch
):
    experiment = with_training(quick, epochs=2)
    sweep = Sweep(experiment=experiment, over={"l2": (0.0, 0.1)}, search=Search(members=2))
    # The pruner thinks better of it while nobody works.
    verdicts = iter([False, True])
    monkeypatch.setattr(Study, "report", lambda *words: next(verdicts, False))
    again = killed_and_gone_on_with(sweep, Study, "prune")
    assert again.study.counts() == {"complete": 1, "pruned": 1}
    assert again.directory.open_trial(1).status == "pruned"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rates", "options"),
    [
        ((0.1, 0.2), {"epochs": 1}),
        # Without updates the loss does not improve, and the first trial stops early.
        ((0.0, 0.1), {"epochs": 3, "patience": 1, "monitor": "validation loss"}),
    ],
    ids=["after the last step", "stopped early"],
)
def test_between_the_last_checkpoint_and_the_summary(
    quick, with_training, sweep_to_end, killed_and_gone_on_with, rates, options
):
    """The trial that had not ended goes on in a population of another size, to the same bytes."""

    def save_and_die(member, *_):
        member._checkpoints.close()
        die()

    sweep = Sweep(
        experiment=with_training(quick, **options),
        over={"optimizer.learning_rate": rates},
        search=Search(members=2),
    )
    whole = sweep_to_end(sweep, "whole")
    again = killed_and_gone_on_with(sweep, Member, "finish", save_and_die)
    assert again.study.counts() == {"complete": 2}
    assert records(again) == records(whole)
    for number in range(2):
        ours, theirs = (one.directory.open_trial(number).read_summary() for one in (again, whole))
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
