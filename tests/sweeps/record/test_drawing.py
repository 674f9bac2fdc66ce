"""A trial reaches the record whole, at whichever write the process that draws it is killed."""

import json
import os
import pickle
import re

import optuna
import pytest
from marks import slow
from optuna.storages.journal import JournalFileBackend

from nnjax.data import Circles
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD
from nnjax.runs import json_files
from nnjax.sweeps import Range, Search, Sweep, Values
from nnjax.sweeps.plan.plan import Planner
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.record import study as studies
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.drawing import LABELS, PICKLES, REFUSED, SIGNATURE, Drawing, make_sampler
from nnjax.sweeps.record.importance import importances
from nnjax.sweeps.record.results import ranked, results
from nnjax.sweeps.record.study import PROGRAM, Study
from nnjax.sweeps.run.conduct import conduct
from nnjax.training import Experiment, Training

RATES = {
    "optimizer.learning_rate": Range(1e-3, 1.0, "log"),
    "optimizer.momentum": Range(0.0, 0.9),
    "batch_size": Values((50, 100)),
}


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.fixture(scope="module")
def planner():
    return Planner(SharedData())


def sweep_of(sampler, trials=5, at_once=2, **options):
    experiment = Experiment(
        data=Circles(train=100, test=50),
        learner=Supervised(MLP(features=(3,)), optimizer=SGD()),
        training=Training(epochs=1, batch_size=50),
    )
    search = Search(sampler=sampler, trials=trials, at_once=at_once)
    return Sweep(experiment=experiment, over=RATES, search=search, **options)


def carry_through(sweep, path, planner):
    """Carries a sweep through; a trial's result is a function of its values, without training."""
    settings = {"over": {path: repr(one) for path, one in sweep.space.items()}}
    with SweepDirectory.begin("circles", settings, directory=path) as directory:
        study = Study(directory.directory, sweep.search, maximize=False)

        def work():
            with directory.locks.working() as name:
                while waiting := study.waiting():
                    for trial in study.claim(waiting[0].user_attrs[PROGRAM], 1, name):
                        optimizer = (
                            directory.open_trial(trial.number).read_config().learner.optimizer
                        )
                        value = (optimizer.learning_rate - 0.1) ** 2 + optimizer.momentum
                        run = directory.open_trial(trial.number)
                        run.write_summary({"status": "finished", "train": {"loss": value}})
                        study.complete(trial.number, value)

        conduct(sweep, directory, study, planner, work)
    return directory, study


def told(study):
    """What is on record of each trial, without times and names of processes."""
    return [
        (trial.number, trial.state.name, trial.params, trial.user_attrs[LABELS], trial.values)
        for trial in study.trials()
    ]


@pytest.fixture
def kill(monkeypatch):
    """Has the n-th call of a function raise ``Killed``, before or after it does its work."""

    def patch(context, owner, name, n, *, after=False):
        original = getattr(owner, name)
        calls = iter(range(10_000))

        def replaced(*words, **options):
            is_last = next(calls) == n
            if is_last and not after:
                raise Killed
            result = original(*words, **options)
            if is_last:
                raise Killed
            return result

        context.setattr(owner, name, replaced)

    return patch


def killed_at_every_call(monkeypatch, tmp_path, kill, planner, sweep, owner, name, calls):
    """Kills a sweep at each of some calls in turn; gives what is on record when it has gone on."""
    # A worker that was killed between its claim and its name is waited for.
    monkeypatch.setattr(studies, "CLAIM_TIME", studies.CLAIM_TIME * 0)
    for n in range(calls):
        path = tmp_path / f"killed-{n}"
        with monkeypatch.context() as context:
            kill(context, owner, name, n)
            with pytest.raises(Killed):
                carry_through(sweep, path, planner)
        yield n, carry_through(sweep, path, planner)


@pytest.mark.parametrize("sampler", ["tpe", "random", *slow("qmc", "cmaes")])
def test_killed_at_any_write_of_the_journal_a_sweep_goes_on_as_if_undisturbed(
    sampler, tmp_path, monkeypatch, kill, planner
):
    sweep = sweep_of(sampler, at_once=2, trials=3)
    _, whole = carry_through(sweep, tmp_path / "whole", planner)
    # All writes but the first, by which the study is made: 3 draws, 3 plans, claims and results.
    writes = (tmp_path / "whole" / "journal.log").read_bytes().count(b"\n")
    assert writes == 1 + 3 * (1 + 1 + 2 + 1)
    killed = killed_at_every_call(
        *(monkeypatch, tmp_path, kill, planner, sweep, JournalFileBackend, "append_logs", writes)
    )
    for n, (directory, study) in killed:
        assert told(study) == told(whole), f"killed at write {n}"
        for trial in study.trials():
            config = json_files.read(directory.trial(trial.number) / "config.json")
            rate = config["learner"]["optimizer"]["learning_rate"]
            assert rate == trial.params["optimizer.learning_rate"]


def test_killed_at_any_write_of_a_file_a_sweep_goes_on_as_if_undisturbed(
    tmp_path, monkeypatch, kill, planner
):
    """The settings, the plan, and the run directories of the trials."""
    sweep = sweep_of("tpe", at_once=2, trials=2)
    with monkeypatch.context() as context:
        written = []
        replace = json_files.replace
        context.setattr(json_files, "replace", lambda *a: written.append(a[0]) or replace(*a))
        directory, whole = carry_through(sweep, tmp_path / "whole", planner)
    calls = len(written)
    assert {path.name for path in written} == {
        *("sweep.json", "programs.json", "environment.json", "summary.json", "config.json")
    }
    files = {path.name for path in directory.trial(0).iterdir()}
    killed = killed_at_every_call(
        *(monkeypatch, tmp_path, kill, planner, sweep, json_files, "replace", calls)
    )
    for n, (directory, study) in killed:
        assert told(study) == told(whole), f"killed at write {n}"
        assert {path.name for path in directory.trial(1).iterdir()} == files
        assert [one.value for one in results(directory, study)] == [
            one.value for one in results(directory, whole)
        ]


def test_values_that_are_refused_are_drawn_again_in_the_same_way(
    tmp_path, monkeypatch, kill, planner
):
    sweep = sweep_of("tpe", allowed=lambda point: point["optimizer.momentum"] < 0.4)
    _, whole = carry_through(sweep, tmp_path / "whole", planner)
    assert sum(bool(trial.user_attrs.get(REFUSED)) for trial in whole.trials()) >= 2
    killed = killed_at_every_call(
        *(monkeypatch, tmp_path, kill, planner, sweep, JournalFileBackend, "append_logs", 6)
    )
    for _, (_, study) in killed:
        assert [t.params for t in study.trials()] == [t.params for t in whole.trials()]
        assert [t.state for t in study.trials()] == [t.state for t in whole.trials()]


def test_a_trial_that_an_earlier_version_drew_in_part_is_drawn_again(tmp_path, planner):
    """Earlier versions wrote its values one by one: it has one of three, and no mark."""
    sweep = sweep_of("tpe", trials=2)
    settings = {"over": {path: repr(one) for path, one in sweep.space.items()}}
    SweepDirectory.create("circles", settings, directory=tmp_path / "old")
    made = Study(tmp_path / "old", sweep.search, maximize=False)
    made._study.ask().suggest_float("optimizer.learning_rate", 1e-3, 1.0, log=True)
    _, study = carry_through(sweep, tmp_path / "old", planner)
    half, *drawn = study.trials()
    assert (half.state.name, half.user_attrs) == ("PRUNED", {REFUSED: True})
    assert [trial.state.name for trial in drawn] == ["COMPLETE"] * 2
    assert all(trial.params.keys() == RATES.keys() for trial in drawn)


def test_a_sequence_goes_on_where_the_last_draw_left_it():
    """As in one study of Optuna: its place is on record with each trial."""
    rates = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}
    plain = optuna.create_study(sampler=make_sampler(Search(sampler="qmc", trials=5)))
    ours = optuna.create_study()
    for _ in range(5):
        plain.tell(plain.ask(rates), 1.0)
        (drawn,) = Drawing(ours, Search(sampler="qmc", trials=5)).draw(rates)
        ours.add_trial(drawn)
        (waiting,) = ours.get_trials(states=[optuna.trial.TrialState.WAITING])
        ours.tell(ours.ask(), 1.0)
        assert waiting.params == drawn.params
    assert [trial.params for trial in ours.trials] == [trial.params for trial in plain.trials]


@pytest.mark.parametrize("value", [SGD(), {1: 2}, print])
def test_a_value_that_no_record_holds_is_refused(value):
    search = Search(sampler="random", trials=1)
    drawing = Drawing(optuna.create_study(), search)
    with pytest.raises(UserError, match="`suggest` gives optimizer a value that the"):
        list(drawing.draw({}, lambda trial: {"optimizer": value}))


def test_draws_that_are_all_refused_end_the_sweep():
    drawing = Drawing(optuna.create_study(), Search(sampler="random", trials=1))
    rates = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}
    with pytest.raises(UserError, match="`allowed` refused 1000 combinations in a row"):
        list(drawing.draw(rates, None, lambda labels: False))


def test_labels_are_what_the_record_gives_back(tmp_path):
    made = Study(tmp_path, Search(sampler="random", trials=1), maximize=False)
    made.draw(1, {}, lambda trial: {"model.features": (8, 4), "monitor": "none", "l2": 0.5})
    (trial,) = Study(tmp_path, Search()).trials()
    assert trial.user_attrs[LABELS] == {"model.features": [8, 4], "monitor": "none", "l2": 0.5}
    assert json.loads(json.dumps(trial.user_attrs)) == trial.user_attrs


PLANE = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in ("optimizer.b1", "l2")}


def cmaes(directory, **options):
    return Study(directory, Search(sampler="cmaes", trials=20), maximize=False, **options)


class Payload:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def with_pickles(tmp_path):
    """The directory of a study that CMA-ES has drawn from, to where it keeps its state."""
    made = cmaes(tmp_path)
    for _ in range(12):
        made.draw(1, PLANE)
        trial = made.trials()[-1]
        made.complete(trial.number, sum(trial.params.values()))
    assert any(name.startswith(PICKLES) for t in made.trials() for name in t.system_attrs)
    return tmp_path


def test_what_this_user_pickled_needs_no_trust(with_pickles):
    cmaes(with_pickles).draw(1, PLANE)


def test_a_pickle_of_somebody_else_is_not_opened_without_trust(with_pickles, tmp_path):
    journal = with_pickles / "journal.log"
    harm = pickle.dumps(Payload(tmp_path / "harm")).hex()
    # It is written in parts.
    text = re.sub(rf'("{PICKLES}:0"):"[0-9a-f]+"', rf'\1:"{harm}"', journal.read_text())
    text = re.sub(rf'("{PICKLES}:[1-9]"):"[0-9a-f]+"', r'\1:""', text)
    journal.write_text(text)
    again = cmaes(with_pickles)
    sentence = "would unpickle the state of its sampler, and you did not make that .* --trust"
    with pytest.raises(UserError, match=sentence):
        again.draw(1, PLANE)
    # Whoever only reads, trains or reports unpickles nothing.
    assert len(again.trials()) == 12
    ranked(Study(with_pickles, Search()))
    importances(again)
    assert not (tmp_path / "harm").exists()
    cmaes(with_pickles, trust=True).draw(1, PLANE)
    assert (tmp_path / "harm").exists()


def test_pickles_without_a_signature_need_trust(with_pickles):
    """As earlier versions wrote them."""
    journal = with_pickles / "journal.log"
    journal.write_text(re.sub(rf',"{SIGNATURE}":"[0-9a-f]+"', "", journal.read_text()))
    with pytest.raises(UserError, match="would unpickle the state of its sampler"):
        cmaes(with_pickles).draw(1, PLANE)
    cmaes(with_pickles, trust=True).draw(1, PLANE)
    assert len(Study(with_pickles, Search()).trials()) == 13
