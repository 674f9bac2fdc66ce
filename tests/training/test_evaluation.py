"""Evaluation: how many examples at once, and that it does not show."""

import threading

import jax
import numpy as np
import pytest

from nnjax.data import Dataset, RecordStream, Text, Vocabulary
from nnjax.distributed import devices
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import MLP, LanguageModel
from nnjax.training import Training, evaluation, fit
from nnjax.training.experiment import fit_to_data


def init(learner, data):
    return jax.jit(learner.init)(jax.random.key(0), data.example())


class Rows:
    """The examples of a split in memory as records."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return len(self.split["targets"])

    def __getitem__(self, index):
        return {name: array[index] for name, array in self.split.items()}


def of(targets, **options):
    inputs = np.zeros((len(targets), 2), np.float32)
    return Dataset({"train": {"inputs": inputs, "targets": targets}}, **options)


def words(count):
    vocabulary = Vocabulary(tuple(map(str, range(count))))
    return {"vocabulary": vocabulary, "target_vocabulary": vocabulary}


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (of(np.zeros(9, np.int32), classes=("a", "b")), 500),
        (of(np.zeros((9, 3), np.float32)), 500),
        (of(np.zeros((9, 128), np.int32), **words(65)), 500),
        # 2^25 outputs, a word of 4,096 at 64 places each: 128 examples.
        (of(np.zeros((9, 64), np.int32), **words(4096)), 128),
        (of(np.zeros((9, 2**20), np.int32), **words(100)), 1),
    ],
)
def test_the_outputs_of_a_batch_fit_in_memory(data, size):
    assert evaluation.batch_size(data) == size


@pytest.mark.parametrize("count", [1, 4])
def test_however_many_at_once_the_metrics_are_the_same(monkeypatch, count):
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(300, 5)).astype(np.float32)
    targets = (inputs[:, 0] > 0).astype(np.int32)
    data = Dataset({"train": {"inputs": inputs, "targets": targets}}, classes=("a", "b"))
    learner = Supervised(MLP(features=(6,), outputs=2))
    state = init(learner, data)
    mesh = devices.make_mesh(count)
    sizes, measured = [], []
    # 2 x (5 x 6 + 6 x 2) operations each: all fit into the first budget, 96 into the second.
    for budget in (1e9, 84 * 100, 1):
        monkeypatch.setattr(evaluation, "CACHED_FLOPS", budget)
        evaluator = evaluation.Evaluator(learner, data, mesh)
        sizes.append(evaluator._at_once(state))
        measured.append(evaluator(jax.device_put(state, devices.replicated(mesh)), "train"))
    assert sizes == [256, 96, 32]
    for one in measured[1:]:
        assert one == pytest.approx(measured[0], rel=1e-6)


def test_stacks_of_batches_count_every_example_of_every_split_once(monkeypatch):
    """The smallest split makes one stack, a larger one several, of which the last is not full."""
    draw = np.random.default_rng(0)

    def split(size):
        inputs = draw.normal(size=(size, 3)).astype(np.float32)
        return {"inputs": inputs, "targets": (inputs[:, 0] > 0).astype(np.int32)}

    sizes = {"train": 300, "validation": 70, "test": 33}
    data = Dataset({name: split(size) for name, size in sizes.items()}, classes=("a", "b"))
    learner = Supervised(MLP(features=(6,), outputs=2))
    state = init(learner, data)
    monkeypatch.setattr(evaluation, "CACHED_FLOPS", 1)
    evaluator = evaluation.Evaluator(learner, data, devices.make_mesh(1))
    for name, size in sizes.items():
        heights = [
            (len(stack["mask"]), int(count)) for stack, count in evaluator._stacks(data, name, 32)
        ]
        batches = -(-size // 32)
        assert heights == [(2, min(2, batches - first)) for first in range(0, batches, 2)]
        totals = evaluator.totals(state, name)
        whole = jax.jit(learner.evaluate)(state, dict(data.split(name)))
        assert float(totals["loss"].count) == size
        for metric, expected in whole.items():
            assert totals[metric].value() == pytest.approx(expected.value(), rel=1e-5)


@pytest.mark.parametrize("form", ["memory", "stream"])
def test_a_smoke_run_evaluates_one_batch_of_each_split(monkeypatch, form):
    inputs = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    split = {"inputs": inputs, "targets": np.int32(inputs[:, 0] > 0)}
    small = {name: array[:40] for name, array in split.items()}
    data = Dataset({"train": split, "test": small}, classes=("a", "b"))
    if form == "stream":
        data = RecordStream({"train": Rows(split), "test": Rows(small)}, ("a", "b"))
    monkeypatch.setattr(evaluation, "CACHED_FLOPS", 1)
    monkeypatch.setattr(evaluation, "STREAM_BATCH", 32)
    learner = Supervised(MLP(features=(2,), outputs=2))
    state = init(learner, data)
    mesh = devices.make_mesh(1)
    smoke, whole = (Training(epochs=1, smoke=smoke) for smoke in (True, False))
    for training, examples in ((smoke, 32), (whole, 300)):
        evaluator = evaluation.Evaluator(learner, data, mesh, training.evaluation_batches())
        for name, most in (("train", 300), ("test", 40)):
            count = float(evaluator.totals(state, name)["loss"].count)
            assert count == min(examples, most)
    result = fit(learner, data, Training(epochs=1, batch_size=30, smoke=True))
    first = {name: array[:32] for name, array in split.items()}
    expected = jax.jit(learner.evaluate)(result.state, first)["loss"].value()
    assert result.summary["train"]["loss"] == pytest.approx(expected, rel=1e-5)


def test_threads_that_measure_side_by_side_do_not_show(monkeypatch):
    """The sums are the same to the last bit, and this thread, whose options hold, compiles."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(1000, 5)).astype(np.float32)
    split = {"inputs": inputs, "targets": (inputs[:, 0] > 0).astype(np.int32)}
    data = Dataset({"test": split, "train": split}, classes=("a", "b"))
    traced_by = []

    class Watched(Supervised):
        def evaluate(self, state, batch):
            traced_by.append(threading.current_thread())
            return super().evaluate(state, batch)

    learner = Watched(MLP(features=(6,), outputs=2))
    state = init(learner, data)
    monkeypatch.setattr(evaluation, "CACHED_FLOPS", 1)
    measured = []
    # Of 32 batches.
    for count in (1, 2, 3, 7, 100):
        monkeypatch.setattr(devices, "threads", lambda count=count: count)
        evaluator = evaluation.Evaluator(learner, data, devices.make_mesh(1))
        measured.append(evaluator(state, "test"))
        assert evaluator._threads == min(count, 8)
    assert measured == [measured[0]] * 5
    whole = jax.jit(learner.evaluate)(state, dict(data.split("test")))
    assert measured[0]["loss"] == pytest.approx(whole["loss"].value(), rel=1e-6)
    assert measured[0]["accuracy"] == whole["accuracy"].value()
    assert set(traced_by) == {threading.main_thread()}


@pytest.mark.parametrize(("most", "kept"), [(2**28, 1), (100, 2)])
def test_what_is_measured_again_and_again_stays_on_the_devices(monkeypatch, most, kept):
    draw = np.random.default_rng(0)
    split = {"inputs": draw.normal(size=(50, 2)), "targets": np.zeros(50, np.int32)}
    data = Dataset({"train": split, "test": split}, classes=("a", "b"))
    learner = Supervised(MLP(features=(3,), outputs=2))
    state = init(learner, data)
    read = []
    batches = Dataset.batches
    monkeypatch.setattr(
        Dataset, "batches", lambda self, *words: (read.append(words[0]), batches(self, *words))[1]
    )
    monkeypatch.setattr(evaluation, "MOST_BYTES", most)
    evaluator = evaluation.Evaluator(learner, data, devices.make_mesh(1))
    measured = [evaluator(state, name) for name in ("test", "train", "test", "train")]
    assert all(one == measured[0] for one in measured)
    # The training split is measured once in a run: it lies on the devices already, to train on.
    assert (read.count("test"), read.count("train")) == (kept, 2)


def test_splits_may_differ_in_the_type_of_their_targets():
    inputs = np.zeros((40, 2), np.float32)
    train = {"inputs": inputs, "targets": np.zeros(40, np.int32)}
    test = {"inputs": inputs, "targets": np.zeros(40, np.uint8)}
    data = Dataset({"train": train, "test": test}, classes=("a", "b"))
    learner = Supervised(MLP(features=(3,), outputs=2))
    state = init(learner, data)
    evaluator = evaluation.Evaluator(learner, data, devices.make_mesh(1))
    assert evaluator(state, "test") == evaluator(state, "train")


def test_splits_of_unequal_shapes_each_have_a_program(tmp_path, monkeypatch):
    """A text is cut into longer windows for evaluation than for training."""
    path = tmp_path / "text.txt"
    path.write_text("the quick brown fox jumps over the lazy dog\n" * 200)
    monkeypatch.setattr(evaluation, "CACHED_FLOPS", 1)
    text = Text(path=path, length=8, lanes=4, evaluation_length=20, context=5, test=0.1)
    learner = Supervised(LanguageModel(recurrent=Recurrent(GRUCell(3))))
    data = text.load()
    learner = fit_to_data(learner, data, Training(epochs=1, batch_size=4))
    state = init(learner, data)
    mesh = devices.make_mesh(1)
    together = evaluation.Evaluator(learner, data, mesh)
    for split in ("train", "validation", "test"):
        alone = evaluation.Evaluator(learner, data, mesh)
        assert together(state, split) == alone(state, split), split
