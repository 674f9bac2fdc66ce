"""The record of a sweep: claims, draws, and what a killed process leaves of it."""

import json
import os
import re
from datetime import timedelta

import optuna
import pytest

from nnjax.errors import UserError
from nnjax.sweeps import Search
from nnjax.sweeps.record import study
from nnjax.sweeps.record.study import OWNER, PROGRAM, Study

RATE = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}


def with_a_trial(directory):
    """A study with a trial that waits for a worker."""
    made = Study(directory, Search(), maximize=False)
    made.add({"rate": 0.5}, RATE)
    made.note(0, PROGRAM, 0)
    return made


@pytest.mark.parametrize("ended", [False, True])
def test_a_trial_is_claimed_once(tmp_path, monkeypatch, ended):
    """By the faster of two workers; the slower one saw it waiting."""
    faster, slower = with_a_trial(tmp_path), Study(tmp_path, Search())
    seen = slower.waiting()
    monkeypatch.setattr(slower, "waiting", lambda: seen)
    assert len(faster.claim(0, 1, "faster")) == 1
    if ended:
        faster.complete(0, 1.0)
    assert slower.claim(0, 1, "slower") == []
    assert faster.trials()[0].user_attrs[OWNER] == "faster"


def test_a_running_trial_without_an_owner_waits_again_after_a_while(tmp_path, monkeypatch):
    """Its worker was killed between its claim and its name."""
    made = with_a_trial(tmp_path)
    made._begin(made.waiting()[0])
    assert made.owners() == set()
    made.release("", died=False)
    assert made.counts() == {"running": 1}
    monkeypatch.setattr(study, "CLAIM_TIME", timedelta(0))
    assert made.owners() == {""}
    made.release("", died=False)
    assert made.counts() == {"waiting": 1}


def test_a_trial_that_was_put_back_is_no_longer_its_owners(tmp_path, monkeypatch):
    """Its next worker has it run, and only then writes its own name."""
    made = with_a_trial(tmp_path)
    made.claim(0, 1, "dead")
    made.release("dead", died=True)
    (waiting,) = made.waiting()
    assert made._begin(waiting)
    assert made.owners() == set()


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc", "cmaes"])
def test_a_process_that_goes_on_draws_what_one_alone_would(tmp_path, sampler):
    """Of 12 trials, with values that draw the later ones after the first to where they are best."""
    search = Search(sampler=sampler, trials=12)

    def draw(made, count):
        for _ in range(count):
            made.draw(1, RATE)
            trial = made.trials()[-1]
            made.complete(trial.number, (trial.params["rate"] - 0.3) ** 2)

    drawn = []
    for name, counts in (("whole", (12,)), ("stopped", (2, 3, 7))):
        (tmp_path / name).mkdir()
        for count in counts:
            made = Study(tmp_path / name, search, maximize=False)
            draw(made, count)
        drawn.append([trial.params["rate"] for trial in made.trials()])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 12


def test_the_lock_of_a_process_that_was_killed_is_found(tmp_path, monkeypatch):
    """Optuna takes a lock that leads somewhere for stale after a time, and no other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep").mkdir()
    made = Study(tmp_path.relative_to(tmp_path) / "sweep", Search(), maximize=False)
    lock = tmp_path / "sweep" / "journal.log.lock"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(lock.resolve(strict=True)))
    made.add({"rate": 0.5}, RATE)
    assert seen == [(tmp_path / "sweep" / "journal.log").resolve()]
    # As it is after a directory was moved.
    lock.symlink_to("elsewhere")
    Study(tmp_path / "sweep", Search()).add({"rate": 0.5}, RATE)
    assert len(made.trials()) == 2


@pytest.mark.parametrize("left", [1, 20])
def test_a_line_that_was_not_written_to_its_end_is_dropped(tmp_path, left):
    made = with_a_trial(tmp_path)
    whole = (tmp_path / "journal.log").read_bytes()
    made.note(0, "reason", "none")
    journal = (tmp_path / "journal.log").read_bytes()
    (tmp_path / "journal.log").write_bytes(journal[: len(whole) + left])
    again = Study(tmp_path, Search())
    assert (tmp_path / "journal.log").read_bytes() == whole
    again.note(0, "reason", "written")
    assert Study(tmp_path, Search()).trials()[0].user_attrs["reason"] == "written"
    assert not list(tmp_path.glob("*.lock*"))


def attribute(name, value):
    """A line of the journal that sets an attribute of trial 0."""
    return json.dumps({"op_code": 8, "worker_id": "x", "trial_id": 0, "user_attr": {name: value}})


@pytest.mark.parametrize(
    "line",
    [
        "nonsense\nnonsense",
        "[" * 100_000,
        "3",
        '{"op_code": 99, "worker_id": "x"}',
        '{"op_code": 4}',
        '{"op_code": 6, "worker_id": "x", "trial_id": 0, "state": 1, "values": ["many"]}',
        attribute("program", "0"),
        attribute("labels", ["rate", 0.5]),
        attribute("deaths", "many"),
        attribute("reason", {"why": 3}),
    ],
    ids=lambda line: line[:40],
)
def test_a_damaged_record_is_a_sentence(tmp_path, line):
    with_a_trial(tmp_path)
    with open(tmp_path / "journal.log", "a") as file:
        file.write(f"{line}\n{attribute('more', 0)}\n")
    with pytest.raises(UserError) as refused:
        Study(tmp_path, Search())
    sentence = r"the record of \S+ is damaged: \S+journal.log: \S.*"
    assert re.fullmatch(sentence, str(refused.value))


def test_a_step_may_be_reported_again(tmp_path):
    """By a trial that goes on from a checkpoint; the pruner decides as it did."""
    search = Search(pruner="median")
    made = Study(tmp_path, search, maximize=True)
    for rate in range(6):
        made.add({"rate": rate / 10}, RATE)
        made.note(rate, PROGRAM, 0)
    made.claim(0, 6, "worker")
    for number, value in enumerate([0.5, 0.6, 0.7, 0.8, 0.9]):
        assert not made.report(number, value, 1)
        made.complete(number, value)
    assert made.report(5, 0.1, 1)
    assert Study(tmp_path, search).report(5, 0.1, 1)
