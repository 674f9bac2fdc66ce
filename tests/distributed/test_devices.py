"""The same run on one device, sharded over four, under pmap and under shard_map."""

import dataclasses
import os
import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from marks import slow

from nnjax.data import Text
from nnjax.data.dataset import Dataset
from nnjax.distributed.devices import AXIS, make_mesh
from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell, LSTMCell, PeepholeLSTMCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import Supervised
from nnjax.models import MLP, LanguageModel, SequenceClassifier, SequenceTagger
from nnjax.optimizers import SGD
from nnjax.training import Training, fit

STEPS = 50
DEVICES = 4
LEARNER = Supervised(MLP(features=(6,), outputs=3), optimizer=SGD(learning_rate=0.1, momentum=0.9))


def batches(size):
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(STEPS, size, 5)).astype(np.float32)
    targets = generator.integers(0, 3, (STEPS, size)).astype(np.int32)
    # Some devices have fewer real examples than others; the mean must not notice.
    mask = (generator.random((STEPS, size)) < 0.8).astype(np.float32)
    return {"inputs": inputs, "targets": targets, "mask": mask}


def batch(data, index):
    return jax.tree.map(lambda leaf: leaf[index], data)


@pytest.fixture(scope="module")
def data():
    return batches(12)


@pytest.fixture(scope="module")
def alone(data):
    """Parameters after 50 steps on one device, and the last step's metrics."""
    state = start(data)
    step = jax.jit(LEARNER.step)
    for index in range(STEPS):
        state, measured = step(state, batch(data, index))
    return state.params, measured


INIT = jax.jit(LEARNER.init)


def start(data):
    return INIT(jax.random.key(0), batch(data, 0))


def spread(leaf):
    return leaf.reshape(DEVICES, 3, *leaf.shape[1:])


def assert_same(params, expected):
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_pmap(data, alone):
    step = jax.pmap(
        partial(LEARNER.step, axis_name=AXIS), AXIS, in_axes=(None, 0), out_axes=(None, None)
    )
    state = start(data)
    for index in range(STEPS):
        state, measured = step(state, jax.tree.map(spread, batch(data, index)))
    assert_same(state.params, alone[0])
    assert measured["loss"].value() == pytest.approx(alone[1]["loss"].value(), rel=1e-4)


def test_shard_map(data, alone):
    everywhere, parted = PartitionSpec(), PartitionSpec(AXIS)
    step = jax.jit(
        jax.shard_map(
            partial(LEARNER.step, axis_name=AXIS),
            mesh=make_mesh(DEVICES),
            in_specs=(everywhere, parted),
            out_specs=(everywhere, everywhere),
        )
    )
    state = start(data)
    for index in range(STEPS):
        state, measured = step(state, batch(data, index))
    assert_same(state.params, alone[0])
    assert measured["loss"].value() == pytest.approx(alone[1]["loss"].value(), rel=1e-4)


@pytest.mark.parametrize(
    ("model", "targets"),
    [
        (SequenceClassifier(recurrent=Recurrent(LSTMCell(4), direction="bidirectional")), (8,)),
        *slow(
            (SequenceTagger(recurrent=Recurrent(GRUCell(4)), embedding=None), (8, 5)),
            (SequenceTagger(recurrent=Recurrent(PeepholeLSTMCell(4)), embedding=None), (8, 5)),
        ),
    ],
    ids=["bidirectional", "gru", "peepholes"],
)
def test_shard_map_of_sequences(model, targets):
    generator = np.random.default_rng(3)
    sequences = {
        "inputs": generator.integers(-1, 6, (8, 5)).astype(np.int32),
        "targets": generator.integers(0, 3, targets).astype(np.int32),
    }
    learner = Supervised(model.clone(vocabulary=6, outputs=3), optimizer=SGD(learning_rate=0.5))
    state = jax.jit(learner.init)(jax.random.key(0), sequences)
    expected, _ = jax.jit(learner.step)(state, sequences)
    everywhere = PartitionSpec()
    step = jax.shard_map(
        partial(learner.step, axis_name=AXIS),
        mesh=make_mesh(DEVICES),
        in_specs=(everywhere, PartitionSpec(AXIS)),
        out_specs=(everywhere, everywhere),
    )
    after, _ = jax.jit(step)(state, sequences)
    assert_same(after.params, expected.params)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_penalty_counts_once_however_many_devices(data, reduction):
    learner = dataclasses.replace(LEARNER, l2=0.3, reduction=reduction)
    first, everywhere, parted = batch(data, 0), PartitionSpec(), PartitionSpec(AXIS)
    state = start(data)
    expected, _ = jax.jit(learner.step)(state, first)
    mapped = partial(learner.step, axis_name=AXIS)
    by_pmap, _ = jax.pmap(mapped, AXIS, in_axes=(None, 0), out_axes=(None, None))(
        state, jax.tree.map(spread, first)
    )
    by_shard_map, _ = jax.jit(
        jax.shard_map(
            mapped,
            mesh=make_mesh(DEVICES),
            in_specs=(everywhere, parted),
            out_specs=(everywhere, everywhere),
        )
    )(state, first)
    for other in (by_pmap, by_shard_map):
        for ours, theirs in zip(
            jax.tree.leaves(other.params), jax.tree.leaves(expected.params), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def dataset():
    generator = np.random.default_rng(2)
    inputs = generator.normal(size=(50, 5)).astype(np.float32)
    split = {"inputs": inputs, "targets": generator.integers(0, 3, 50).astype(np.int32)}
    return Dataset({"train": split}, classes=("a", "b", "c"))


@pytest.mark.parametrize("batch_size", [12, *slow(10, 0)])
def test_fit_over_four_devices(batch_size):
    """Batches that four does not divide (10) and a ragged last one (50 = 4 * 12 + 2) included."""
    one = fit(LEARNER, dataset(), Training(steps=STEPS, batch_size=batch_size, devices=1))
    four = fit(LEARNER, dataset(), Training(steps=STEPS, batch_size=batch_size, devices=DEVICES))
    assert_same(four.state.params, one.state.params)
    assert four.summary["train"]["loss"] == pytest.approx(one.summary["train"]["loss"], rel=1e-4)
    assert len(jax.tree.leaves(four.state.params)[0].sharding.device_set) == DEVICES


def verse(tmp_path, lanes):
    (tmp_path / "verse.txt").write_text("the cat sat on the mat and a dog lay in the sun. " * 40)
    path = tmp_path / "verse.txt"
    return Text(path=path, length=16, lanes=lanes, validation=0.1, test=0.0).load()


RECURRENT = Supervised(
    LanguageModel(recurrent=Recurrent(LSTMCell(4))), optimizer=SGD(learning_rate=0.1)
)


@pytest.mark.slow
def test_a_state_carried_from_row_to_row(tmp_path):
    data = verse(tmp_path, lanes=8)
    one, four = (
        fit(RECURRENT, data, Training(epochs=2, batch_size=8, devices=devices))
        for devices in (1, DEVICES)
    )
    assert_same(four.state.params, one.state.params)
    assert_same(four.state.model_state, one.state.model_state)


def test_lanes_that_the_devices_do_not_divide(tmp_path):
    with pytest.raises(UserError, match="6 lanes cannot be spread over 4 devices; make lanes and"):
        fit(RECURRENT, verse(tmp_path, 6), Training(epochs=1, batch_size=6, devices=4))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize(
    ("threads", "flags", "expected"),
    [
        (0, "", None),
        (1, "", 1),
        (3, "", 3),
        (1, "--xla_force_host_platform_device_count=2", 32),
    ],
)
def test_threads(monkeypatch, threads, flags, expected):
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.delenv("NPROC", raising=False)
    script = f"""
from pathlib import Path
from nnjax.distributed import devices
devices.use_threads({threads})
import jax.numpy
jax.numpy.ones(3).sum()
names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
print(sum(name.startswith("tf_XLAEigen") for name in names), devices.threads())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = expected or len(os.sched_getaffinity(0))
    assert done.stdout.split() == [str(expected)] * 2, done.stderr


def test_a_negative_number_of_devices():
    with pytest.raises(UserError, match="number of devices is positive, or 0 for all, not -1"):
        make_mesh(-1)


def test_too_many_devices():
    with pytest.raises(UserError, match="9 devices were asked for, this machine has 4 cpu"):
        fit(LEARNER, dataset(), Training(steps=1, batch_size=10, devices=9))
