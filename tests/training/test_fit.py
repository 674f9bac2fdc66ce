"""The loop: how long it trains, what it measures, when it stops, and that the bits are the same."""

import dataclasses
import json
import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from marks import slow

from nnjax.data import Blobs
from nnjax.data.dataset import Dataset
from nnjax.distributed import devices
from nnjax.errors import UserError
from nnjax.figures import draw_report
from nnjax.learners import State, Supervised
from nnjax.metrics import Mean
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam
from nnjax.runs.run import Run
from nnjax.schedules import Cosine
from nnjax.sweeps.plan.objective import Objective
from nnjax.training import Experiment, Training, fit
from nnjax.training.dry_run import dry_run
from nnjax.training.evaluation import Evaluator
from nnjax.training.fit import Diverged
from nnjax.training.interruption import Request
from nnjax.training.options import SMOKE_STEPS
from nnjax.training.snapshot import read_trained

EXAMPLES = 50
LEARNER = Supervised(MLP(features=(6,), dropout=0.1), optimizer=Adam(learning_rate=0.01))


def split(size, seed):
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(size, 5)).astype(np.float32)
    return {"inputs": inputs, "targets": (inputs[:, 0] > 0).astype(np.int32)}


# Splits of one size are evaluated by one program, which is compiled once.
DATA = Dataset(
    {"train": split(EXAMPLES, 0), "validation": split(23, 1), "test": split(23, 2)},
    classes=("no", "yes"),
)


def train(learner=LEARNER, data=DATA, run=None, resume=False, **options):
    options = {"batch_size": 10, **options}
    return fit(learner, data, Training(**options), run=run, resume=resume)


def make_run(tmp_path, learner=LEARNER, **options):
    """A run directory; the data on record is not what is trained on."""
    experiment = Experiment(data=Blobs(), learner=learner, training=Training(**options))
    return Run.create("it", experiment, directory=tmp_path / "run")


def assert_same_bits(one, other):
    assert jax.tree.structure(one.params) == jax.tree.structure(other.params)
    for ours, theirs in zip(
        jax.tree.leaves((one.params, one.optimizer_state)),
        jax.tree.leaves((other.params, other.optimizer_state)),
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


# How long ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"epochs": 2}, 10),
        ({"epochs": 0.5}, 2),
        ({"epochs": 0.01}, 1),
        ({"steps": 7}, 7),
        ({"examples": 61}, 7),
        ({"examples": 100, "batch_size": 15}, 8),
        ({"examples": 66, "batch_size": 15}, 6),
        ({"examples": 1}, 1),
        ({"epochs": 2, "batch_size": 0}, 2),
        ({"epochs": 2, "batch_size": 50}, 2),
        ({"epochs": 2, "batch_size": 15}, 8),
        ({"epochs": 9, "smoke": True}, SMOKE_STEPS),
        ({"steps": 2, "smoke": True}, 2),
    ],
)
def test_durations(options, steps):
    data = Dataset({"train": DATA.splits["train"]}, DATA.classes)
    result = train(data=data, monitor="none", evaluate_train=False, **options)
    assert result.summary["steps"] == int(result.state.step) == steps


def test_a_ragged_last_batch_counts_every_example_once():
    """Recorded training metrics of an epoch without learning are those of the whole split."""
    still = Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=0.0))
    records = []

    class Progress:
        def update(self, *, train, **others):
            records.append(train)

    fit(still, DATA, Training(epochs=1, batch_size=15), progress=Progress())
    result = train(still, epochs=1, batch_size=0)
    for name, value in result.summary["train"].items():
        assert records[-1][name] == pytest.approx(value, rel=1e-5)


def test_the_whole_split_as_one_batch_does_not_depend_on_the_order():
    one = train(epochs=3, batch_size=0, data_seed=1)
    assert_same_bits(one.state, train(epochs=3, batch_size=0, data_seed=2).state)


def test_seeds():
    first = train(epochs=2)
    assert_same_bits(first.state, train(epochs=2).state)
    with pytest.raises(AssertionError):
        assert_same_bits(first.state, train(epochs=2, seed=1).state)
    with pytest.raises(AssertionError):
        assert_same_bits(first.state, train(epochs=2, data_seed=1).state)


# The same bits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [15, *slow(0)])
def test_the_length_of_a_stretch_changes_nothing(monkeypatch, batch_size):
    # The package's attribute of that name is the function.
    module = sys.modules["nnjax.training.fit"]
    whole = train(epochs=6, batch_size=batch_size)
    monkeypatch.setattr(module, "STRETCH_SECONDS", 0.0)
    single = train(epochs=6, batch_size=batch_size)
    assert_same_bits(whole.state, single.state)
    monkeypatch.setattr(module, "STRETCH_SECONDS", 0.01)
    assert_same_bits(whole.state, train(epochs=6, batch_size=batch_size).state)


# Measuring ---------------------------------------------------------------------------------------


def test_what_a_run_leaves(tmp_path):
    run = make_run(tmp_path, epochs=3)
    result = train(run=run, epochs=3, evaluate_every=1.5)
    records = run.read_metrics()
    assert [(r["step"], r["epoch"], r["split"]) for r in records] == [
        (8, 1.6, "train"),
        (8, 1.6, "validation"),
        (15, 3.0, "train"),
        (15, 3.0, "validation"),
    ]
    summary = run.read_summary()
    assert summary["status"] == "finished"
    assert summary["best_step"] in (8, 15)
    assert set(summary) >= {"train", "validation", "test", "seconds", "compile_seconds"}
    assert summary == {**result.summary}
    lines = (run.directory / "metrics.jsonl").read_text().splitlines()
    assert all(
        set(json.loads(line)) == {"step", "epoch", "split", "loss", "accuracy"} for line in lines
    )


def test_the_last_record_measures_the_last_state(tmp_path):
    run = make_run(tmp_path, epochs=2)
    result = train(run=run, epochs=2, monitor="none")
    last = run.read_metrics()[-1]
    for name in ("loss", "accuracy"):
        assert last[name] == pytest.approx(result.summary["validation"][name], rel=1e-6)


@pytest.mark.parametrize(
    ("monitor", "pick"), [("validation loss", min), ("validation accuracy", max)]
)
def test_the_best_state_is_returned(tmp_path, monitor, pick):
    run = make_run(tmp_path, epochs=40)
    fast = Supervised(MLP(features=(30,)), optimizer=Adam(learning_rate=0.1))
    result = train(fast, run=run, epochs=40, monitor=monitor)
    metric = monitor.split()[1]
    measured = [r[metric] for r in run.read_metrics() if r["split"] == "validation"]
    assert result.summary["validation"][metric] == pytest.approx(pick(measured), rel=1e-6)
    assert int(result.state.step) == result.summary["best_step"]
    assert result.summary["best_step"] == 5 * (measured.index(pick(measured)) + 1)


@pytest.mark.parametrize(
    ("monitor", "splits"),
    [
        ("none", ["validation", "validation", "train", "test"]),
        ("validation loss", ["validation", "validation", "train", "test"]),
        ("test loss", ["validation", "test", "validation", "test", "train"]),
        ("train loss", ["validation", "train", "validation", "train", "test"]),
    ],
)
def test_what_was_measured_is_not_measured_again(monkeypatch, monitor, splits):
    measured = []
    measure = Evaluator.__call__
    monkeypatch.setattr(
        Evaluator,
        "__call__",
        lambda self, state, split: measured.append(split) or measure(self, state, split),
    )
    # So slow that every evaluation is the best so far.
    slow = Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=1e-3))
    result = train(slow, epochs=2, monitor=monitor)
    assert measured == splits
    again = Evaluator(result.learner, DATA, devices.make_mesh(1))
    for split in ("train", "validation", "test"):
        assert result.summary[split] == again(result.state, split)


def test_a_metric_that_was_never_a_number_leaves_the_last_state():
    broken = {**split(23, 1)}
    broken["inputs"] = np.full_like(broken["inputs"], np.nan)
    data = Dataset({**DATA.splits, "validation": broken}, DATA.classes)
    result = train(data=data, epochs=3, monitor="validation loss")
    assert (int(result.state.step), result.summary["best_step"]) == (15, None)


def test_no_monitor_returns_the_last_state():
    result = train(epochs=3, monitor="none")
    assert (int(result.state.step), result.summary["best_step"]) == (15, None)


@pytest.mark.parametrize("monitor", ["validation f1", "train", "holdout loss", "accuracy"])
def test_a_monitor_that_is_not_measured(monitor):
    with pytest.raises(UserError, match=f"monitor '{monitor}' is not a split and a metric"):
        train(epochs=1, monitor=monitor)


def test_patience():
    still = Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=0.0))
    result = train(still, epochs=50, patience=3)
    # The first evaluation is the best, and three more bring nothing.
    assert (result.summary["steps"], result.summary["best_step"]) == (4 * 5, 5)


# Stopping and going on ---------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    wild = Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=1e30), loss="quadratic")
    run = make_run(tmp_path, wild, epochs=9)
    with pytest.raises(Diverged, match=r"NaN or infinite at step \d+; lower the learning rate"):
        train(wild, run=run, epochs=9)
    assert run.read_summary()["status"] == "diverged"
    assert run.read_summary()["step"] <= 5


def test_data_that_is_not_finite_is_named(tmp_path):
    broken = split(23, 1)
    broken["inputs"][7, 1] = np.inf
    data = Dataset({**DATA.splits, "train": broken}, DATA.classes)
    run = make_run(tmp_path, LEARNER, epochs=9)
    with pytest.raises(Diverged, match=r"; 'inputs' of split 'train' holds inf at .7, 1."):
        train(run=run, data=data, epochs=9)


def test_the_last_update_may_be_the_one_that_diverges(tmp_path):
    # No loss is computed after it but those of the evaluation.
    wild = Supervised(MLP(features=(6,)), optimizer=SGD(learning_rate=1e30), loss="quadratic")
    run = make_run(tmp_path, wild, steps=1)
    with pytest.raises(Diverged, match="NaN or infinite at step 1; lower"):
        train(wild, run=run, steps=1)
    assert run.read_summary()["status"] == "diverged"


def test_the_last_good_checkpoint_is_named(tmp_path):
    run = make_run(tmp_path, epochs=2)
    train(run=run, epochs=2, checkpoint_seconds=0)
    # The same run, going on with a learning rate that makes it diverge.
    wild = Supervised(LEARNER.model, optimizer=Adam(learning_rate=1e38))
    with pytest.raises(Diverged, match=r"last good checkpoint: step 10 in .*checkpoints"):
        train(wild, run=run, resume=True, epochs=50)


@pytest.mark.parametrize("rate", [1e25, 3e38])
def test_a_checkpoint_is_never_of_a_diverged_state(tmp_path, rate):
    """The loss of the update that breaks the parameters is that before it, and finite."""
    run = make_run(tmp_path, steps=2)
    train(run=run, steps=2, keep_checkpoints=1)
    wild = Supervised(LEARNER.model, optimizer=Adam(learning_rate=rate))
    with pytest.raises(Diverged, match=r"at step 3; .* \(last good checkpoint: step 2 in"):
        train(wild, run=run, resume=True, steps=9, checkpoint_seconds=0, keep_checkpoints=1)
    assert [path.name for path in run.checkpoints.iterdir()] == ["2"]


def test_a_signal_does_not_save_a_diverged_state(tmp_path):
    wild = Supervised(LEARNER.model, optimizer=SGD(learning_rate=3e38))
    run = make_run(tmp_path, wild, steps=9)

    class Interrupting:
        def update(self, **report):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Diverged, match=r"at step 1; .* \(no checkpoint was saved before"):
        fit(wild, DATA, Training(steps=9, batch_size=10), run=run, progress=Interrupting())
    assert run.read_summary()["status"] == "diverged"


def test_the_last_checkpoint_is_not_of_a_diverged_state(tmp_path):
    """With the best state as the result, the metrics of the last one do not show it."""
    run = make_run(tmp_path, epochs=1)
    train(run=run, epochs=1, monitor="validation loss")
    wild = Supervised(LEARNER.model, optimizer=Adam(learning_rate=3e38))
    with pytest.raises(Diverged, match=r"at step 6; .* \(last good checkpoint: step 5 in"):
        train(wild, run=run, resume=True, steps=6, monitor="validation loss")


def test_the_accuracy_of_a_regression():
    with pytest.raises(UserError, match="no classes to measure the accuracy of"):
        train(data=Dataset(DATA.splits), epochs=1)


def test_a_model_beyond_the_memory_of_the_machine():
    huge = dataclasses.replace(LEARNER, model=MLP(features=(1_000_000, 1_000_000)))
    with pytest.raises(UserError, match=r"training state takes 12,000.* GB on each device, which "):
        train(huge, epochs=1)


def test_a_batch_larger_than_the_data():
    with pytest.raises(UserError, match="batch_size 51 is larger than the 50 training examples"):
        train(epochs=1, batch_size=51)


@pytest.mark.parametrize("monitor", ["validation loss", *slow("none")])
def test_resumed_after_fewer_steps_it_is_the_same_run(tmp_path, monitor):
    whole_run = make_run(tmp_path / "whole", epochs=6)
    whole = train(run=whole_run, epochs=6, monitor=monitor)
    run = make_run(tmp_path / "parts", epochs=6)
    times = train(run=run, epochs=2, monitor=monitor).summary
    train(run=run, epochs=4, monitor=monitor, resume=True)
    resumed = train(run=run, epochs=6, monitor=monitor, resume=True)
    assert_same_bits(resumed.state, whole.state)
    assert resumed.summary["training_seconds"] > times["training_seconds"] > 0
    assert resumed.summary["compile_seconds"] > times["compile_seconds"] > 0
    metrics = [r.directory / "metrics.jsonl" for r in (run, whole_run)]
    assert metrics[0].read_bytes() == metrics[1].read_bytes()


def test_a_second_training_in_a_run_is_refused(tmp_path):
    run = make_run(tmp_path, epochs=1)
    first = train(run=run, epochs=1)
    with pytest.raises(UserError, match=r"holds what was trained before; give fit another run, or"):
        train(run=run, epochs=1, seed=5)
    assert run.read_summary() == first.summary
    with pytest.raises(UserError, match="there is nothing to resume without a run"):
        train(epochs=1, resume=True)


def test_resumed_without_a_checkpoint_it_starts_again(tmp_path):
    run = make_run(tmp_path, epochs=2)
    run.append_metrics({"step": 5, "split": "train"})
    resumed = train(run=run, epochs=2, resume=True)
    assert_same_bits(resumed.state, train(epochs=2).state)
    assert [record["step"] for record in run.read_metrics()] == [5, 5, 10, 10]


def test_a_run_whose_checkpoints_are_gone_is_left_as_it_is(tmp_path):
    run = make_run(tmp_path, epochs=1)
    train(run=run, epochs=1)
    metrics = (run.directory / "metrics.jsonl").read_bytes()
    shutil.rmtree(run.checkpoints)
    with pytest.raises(UserError, match=r"are gone, there is no .*checkpoints; put them back"):
        train(run=run, epochs=1, resume=True)
    assert (run.directory / "metrics.jsonl").read_bytes() == metrics


def test_what_a_refused_run_leaves_on_record(tmp_path):
    run = make_run(tmp_path, epochs=2)
    train(run=run, epochs=1)
    run.append_metrics({"step": 9, "split": "train"})
    run.close()
    metrics = (run.directory / "metrics.jsonl").read_bytes()
    fewer = Dataset({**DATA.splits, "train": split(EXAMPLES - 1, 0)}, DATA.classes)
    with pytest.raises(UserError, match="has 49 examples, the run began with 50"):
        train(data=fewer, run=run, epochs=2, resume=True)
    assert (run.directory / "metrics.jsonl").read_bytes() == metrics
    assert run.status == "finished"


def test_a_damaged_last_checkpoint_is_replaced(tmp_path):
    run = make_run(tmp_path, epochs=2)
    whole = train(run=run, epochs=2, checkpoint_seconds=0)
    for file in (run.checkpoints / "10").rglob("checksums.json"):
        file.write_text("{")
    train(run=run, epochs=2, resume=True)
    told = []
    experiment = Experiment(
        data=Blobs(), learner=LEARNER, training=Training(epochs=2, batch_size=10)
    )
    _, state, _ = read_trained(experiment, run, DATA, told.append)
    assert told == []
    assert_same_bits(state, whole.state)


def test_before_the_first_evaluation_the_newest_state_is_read(tmp_path, monkeypatch):
    """Not the "best", which is still what training began with."""
    options = {"batch_size": 10, "steps": 8, "evaluate_every": 100.0, "checkpoint_seconds": 0.0}
    run = make_run(tmp_path, **options)
    monkeypatch.setattr(sys.modules["nnjax.training.fit"], "STRETCH_SECONDS", 0.0)

    class Interrupting:
        def update(self, *, step, **others):
            if step == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(LEARNER, DATA, Training(**options), run=run, progress=Interrupting())
    experiment = Experiment(data=Blobs(), learner=LEARNER, training=Training(**options))
    _, state, step = read_trained(experiment, run, DATA)
    assert step == int(state.step) == 3


def test_a_learner_need_have_three_functions_only(tmp_path):
    """No model, no optimizer, no metrics beside the loss."""

    @dataclasses.dataclass(frozen=True)
    class Median:
        def init(self, key, example):
            m = jnp.zeros(example["inputs"].shape[-1])
            return State(jnp.zeros((), jnp.int32), {"m": m}, {}, (), key)

        def step(self, state, batch, axis_name=None):
            params = {"m": state.params["m"] + 0.01 * jnp.sign(self._errors(state, batch)).mean(0)}
            after = dataclasses.replace(state, step=state.step + 1, params=params)
            return after, self.evaluate(state, batch)

        def evaluate(self, state, batch):
            return {"loss": Mean.of(jnp.abs(self._errors(state, batch)).sum(1), batch.get("mask"))}

        def _errors(self, state, batch):
            return batch["inputs"] - state.params["m"]

    run = make_run(tmp_path, epochs=3)
    result = train(Median(), run=run, epochs=3)
    assert result.summary["parameters"] == 5
    assert result.summary["best_step"] is not None
    assert [path.stem for path in draw_report(result, DATA, run)] == ["learning_curves"]
    findings = dry_run(Experiment(data=Blobs(), learner=Median(), training=Training(epochs=1)))
    assert (findings.layers, findings.steps) == (None, 4)


OPTAX = optax.sgd(0.1)


@dataclasses.dataclass(frozen=True)
class Measuring:
    """A learner with a metric of its own, which falls while it trains, and Optax's optimizer."""

    larger_is_better: tuple[str, ...] | None = ()
    metrics: tuple[str, ...] = ("distance",)
    optimizer: optax.GradientTransformation = OPTAX

    def init(self, key, example):
        return State(jnp.zeros((), jnp.int32), jnp.full(5, 3.0), {}, (), key)

    def step(self, state, batch, axis_name=None):
        after = dataclasses.replace(state, step=state.step + 1, params=0.9 * state.params)
        return after, self.evaluate(state, batch)

    def evaluate(self, state, batch):
        distance = jnp.abs(state.params).sum() + 0 * batch["inputs"][:, 0]
        mean = Mean.of(distance, batch.get("mask"))
        return {"loss": mean, "distance": mean}


def test_a_metric_of_ones_own_has_a_direction():
    options = {"epochs": 2, "monitor": "validation distance"}
    assert train(Measuring(), **options).summary["best_step"] == 10
    assert train(Measuring(("distance",)), **options).summary["best_step"] == 5
    with pytest.raises(UserError, match="nothing says whether a larger distance is better; give M"):
        train(Measuring(None), **options)
    data = Blobs().load()
    experiment = Experiment(data=Blobs(), learner=Measuring(None), training=Training(epochs=1))
    assert not Objective.of("train loss", experiment, data).maximize
    for growing, maximize in (((), False), (("distance",), True)):
        learner = Measuring(growing)
        experiment = Experiment(data=Blobs(), learner=learner, training=Training(epochs=1))
        assert Objective.of("train distance", experiment, data).maximize == maximize


def test_fit_outside_the_main_thread():
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(fit, LEARNER, DATA, Training(epochs=1, batch_size=10)).result()
    assert_same_bits(result.state, train(epochs=1).state)


def test_an_observer_sees_every_evaluation():
    seen = []

    def observe(learner, state, step):
        seen.append((step, int(state.step), learner.model.outputs))

    fit(LEARNER, DATA, Training(epochs=2, batch_size=20), observe=observe)
    assert seen == [(3, 3, 2), (6, 6, 2)]


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (lambda state, measured: state, "step of Wrong must return a pair, the state after it and"),
        (lambda state, measured: (state, {}), "step of Wrong measures no 'loss'; return metrics"),
        (
            lambda state, measured: (state, {"loss": 0.0}),
            "returns a plain number as 'loss'; return",
        ),
    ],
)
def test_a_step_that_returns_something_else(returned, sentence):
    class Wrong(Supervised):
        def step(self, state, batch, axis_name=None):
            return returned(*super().step(state, batch, axis_name))

    with pytest.raises(UserError, match=sentence):
        train(Wrong(MLP(features=(6,))), epochs=1)


def test_a_signal_that_comes_while_processes_agree_is_heeded_the_next_time(monkeypatch):
    module = sys.modules["nnjax.training.fit"]
    request, said = Request(), []

    def gather(numbers):
        said.append(numbers[0])
        request.signal_number = signal.SIGTERM
        return np.array([numbers, [0, 7, 0]])

    monkeypatch.setattr(module.collectives, "several", lambda: True)
    monkeypatch.setattr(module.collectives, "gather_numbers", gather)
    loop = SimpleNamespace(saver=SimpleNamespace(is_due=lambda: True), stretch=5)
    agreed = [module._Loop.agree(loop, request) for _ in range(2)]
    # Whether a save is due is for the clock of rank 0 to say.
    assert agreed == [(None, True), (signal.SIGTERM, True)]
    assert said == [0, signal.SIGTERM]
    assert loop.stretch == 5


def test_a_model_of_too_few_outputs_is_refused_whoever_wrote_it():
    class Own(nn.Module):
        @nn.compact
        def __call__(self, x, *, train=False):
            return nn.Dense(2)(x)

    three = Dataset({"train": {**split(30, 0), "targets": np.arange(30) % 3}}, tuple("abc"))
    scheduled = Supervised(Own(), optimizer=Adam(schedule=Cosine()))
    assert train(scheduled, epochs=1).summary["status"] == "finished"
    with pytest.raises(UserError, match="Own with 2 outputs cannot tell 3 classes apart; take a m"):
        train(Supervised(Own()), data=three, epochs=1)


def test_data_of_one_class_is_refused():
    split = {"inputs": np.zeros((20, 2), np.float32), "targets": np.zeros(20, np.int32)}
    data = Dataset({"train": split}, ("cat",))
    with pytest.raises(UserError, match="the data has one class only, 'cat'; a classifier needs"):
        fit(Supervised(MLP(features=(3,))), data, Training(steps=1, batch_size=10))
