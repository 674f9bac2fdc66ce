"""The supervised learner: gradients, penalties, masks, traced hyperparameters."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from marks import slow

from nnjax import fields, metrics
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam, FromOptax

LEARNER = Supervised(MLP(features=(5,), outputs=3), optimizer=SGD(learning_rate=0.5))


@functools.partial(jax.jit, static_argnums=0)
def init(learner, key, batch):
    """What ``learner.init`` returns, computed by one program."""
    return learner.init(key, batch)


@functools.partial(jax.jit, static_argnums=0)
def step(learner, state, batch):
    """What ``learner.step`` returns, computed by one program."""
    return learner.step(state, batch)


@functools.partial(jax.jit, static_argnums=0)
def evaluate(learner, state, batch):
    """What ``learner.evaluate`` returns, computed by one program."""
    return learner.evaluate(state, batch)


@pytest.fixture
def batch():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(8, 4)).astype(np.float32)
    return {"inputs": inputs, "targets": generator.integers(0, 3, 8).astype(np.int32)}


def assert_close(left, right, **tolerance):
    for ours, theirs in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(ours, theirs, **tolerance)


def losses_of(learner, params, batch):
    logits = learner.model.apply({"params": params}, batch["inputs"], train=False)
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])


def test_step_is_gradient_descent_on_the_mean_loss(batch):
    state = init(LEARNER, jax.random.key(0), batch)
    after, measured = jax.jit(LEARNER.step)(state, batch)

    def mean(params):
        return losses_of(LEARNER, params, batch).mean()

    expected = jax.tree.map(lambda w, g: w - 0.5 * g, state.params, jax.grad(mean)(state.params))
    for ours, theirs in zip(jax.tree.leaves(after.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert measured["loss"].value() == pytest.approx(float(mean(state.params)), rel=1e-6)
    assert int(after.step) == 1


def test_sum_reduction_multiplies_the_gradient_by_the_batch(batch):
    summed = dataclasses.replace(LEARNER, reduction="sum", optimizer=SGD(learning_rate=0.5 / 8))
    state = init(LEARNER, jax.random.key(0), batch)
    by_mean, _ = step(LEARNER, state, batch)
    by_sum, _ = step(summed, state, batch)
    for ours, theirs in zip(
        jax.tree.leaves(by_mean.params), jax.tree.leaves(by_sum.params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf, 1e30])
def test_masked_examples_change_nothing(batch, garbage):
    """Whatever the masked places hold, inputs as targets: no loss, metric or gradient sees it."""
    learner = dataclasses.replace(LEARNER, loss="mean_squared_error")
    batch = {**batch, "targets": np.eye(3, dtype=np.float32)[batch["targets"]]}
    longer = {name: np.concatenate([array, array[:3]]) for name, array in batch.items()}
    longer["inputs"][8:] = longer["targets"][9:] = garbage
    longer["mask"] = np.array([1] * 8 + [0] * 3, np.float32)
    state = init(learner, jax.random.key(0), batch)
    plain, masked = (evaluate(learner, state, one) for one in (batch, longer))
    expected, plain_step = step(learner, state, batch)
    got, masked_step = step(learner, state, longer)
    for name in plain:
        assert masked[name].value() == pytest.approx(plain[name].value(), rel=1e-6)
        assert masked_step[name].value() == pytest.approx(plain_step[name].value(), rel=1e-6)
    assert_close(got.params, expected.params, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["step", "evaluate"])
def test_a_batch_without_targets_is_refused(batch, method):
    state = init(LEARNER, jax.random.key(0), batch)
    with pytest.raises(UserError, match=r"must hold 'targets' to learn from, not only .'inputs'."):
        getattr(LEARNER, method)(state, {"inputs": batch["inputs"]})


def test_a_batch_of_which_nothing_counts_moves_nothing(batch):
    state = init(LEARNER, jax.random.key(0), batch)
    after, measured = step(LEARNER, state, {**batch, "mask": np.zeros(8, np.float32)})
    assert_close(after.params, state.params, rtol=0)
    assert float(measured["loss"].count) == 0


def test_l2_penalty_pulls_weights_and_leaves_biases(batch):
    penalised = dataclasses.replace(LEARNER, l2=0.2)
    state = init(LEARNER, jax.random.key(0), batch)
    plain, _ = step(LEARNER, state, batch)
    pulled, _ = step(penalised, state, batch)
    for layer in ("hidden1", "output"):
        difference = plain.params[layer]["kernel"] - pulled.params[layer]["kernel"]
        expected = 0.5 * 0.2 * state.params[layer]["kernel"]
        np.testing.assert_allclose(difference, expected, atol=1e-6)
        np.testing.assert_allclose(
            plain.params[layer]["bias"], pulled.params[layer]["bias"], atol=1e-7
        )


def test_one_program_serves_every_learning_rate_and_dropout(batch):
    learner = dataclasses.replace(LEARNER, model=MLP(features=(5,), outputs=3, dropout=0.1))
    traces = []

    @jax.jit
    def train(rate, dropout, l2):
        traces.append(1)
        changes = {"optimizer.learning_rate": rate, "model.dropout": dropout, "l2": l2}
        changed = fields.replace(learner, changes)
        state = changed.init(jax.random.key(0), batch)
        for _ in range(3):
            state, measured = changed.step(state, batch)
        return state.params, measured["loss"].total

    for rate, dropout, l2 in [(0.1, 0.2, 0.0), (0.5, 0.5, 0.1)]:
        params, _ = train(rate, dropout, l2)
        changes = {"optimizer.learning_rate": rate, "model.dropout": dropout, "l2": l2}
        alone = fields.replace(learner, changes)
        state, step = alone.init(jax.random.key(0), batch), jax.jit(alone.step)
        for _ in range(3):
            state, _ = step(state, batch)
        for ours, theirs in zip(
            jax.tree.leaves(params), jax.tree.leaves(state.params), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


def test_a_population_equals_its_members(batch):
    learner = dataclasses.replace(LEARNER, optimizer=Adam())

    def train(rate, seed):
        changed = fields.replace(learner, {"optimizer.learning_rate": rate})
        state = changed.init(jax.random.key(seed), batch)
        for _ in range(4):
            state, measured = changed.step(state, batch)
        return measured["loss"].total

    rates, seeds = jnp.array([0.001, 0.01, 0.1]), jnp.arange(3)
    together = jax.jit(jax.vmap(train))(rates, seeds)
    member = jax.jit(train)
    alone = [member(rate, seed) for rate, seed in zip(rates, seeds, strict=True)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=2e-5)


def test_bfloat16_computes_in_bfloat16_and_keeps_float32(batch):
    learner = dataclasses.replace(LEARNER, precision="bfloat16")
    state = init(learner, jax.random.key(0), batch)
    after, measured = jax.jit(learner.step)(state, batch)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after.params)} == {"float32"}
    full, exact = jax.jit(LEARNER.step)(state, batch)
    assert measured["loss"].value() != exact["loss"].value()
    assert measured["loss"].value() == pytest.approx(exact["loss"].value(), rel=0.02)
    text = jax.jit(learner.step).lower(state, batch).as_text()
    assert "bf16" in text
    for ours, theirs in zip(
        jax.tree.leaves(after.params), jax.tree.leaves(full.params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_averaged_parameters_are_the_ones_evaluated(batch):
    learner = dataclasses.replace(LEARNER, optimizer=SGD(learning_rate=0.5, ema_decay=0.9))
    state = init(learner, jax.random.key(0), batch)
    visited = []
    for _ in range(3):
        state, _ = step(learner, state, batch)
        visited.append(state.params)
    weights = [0.9**2, 0.9, 1.0]
    average = jax.tree.map(lambda *ws: np.average(ws, axis=0, weights=weights), *visited)
    expected = learner.model.apply({"params": average}, batch["inputs"], train=False)
    np.testing.assert_allclose(
        learner.outputs(state, batch["inputs"]), expected, rtol=1e-5, atol=1e-6
    )


def test_a_population_over_rate_dropout_and_penalty_is_one_program(batch):
    learner = dataclasses.replace(LEARNER, model=MLP(features=(5,), outputs=3, dropout=0.1))
    traces = []

    def train(values):
        traces.append(1)
        changed = fields.replace(learner, values)
        state = changed.init(jax.random.key(3), batch)
        for _ in range(2):
            state, measured = changed.step(state, batch)
        return state.params, measured["loss"].total

    program = jax.jit(jax.vmap(train))
    # Zero among them: a traced zero is no reason for another program.
    populations = [
        {
            "optimizer.learning_rate": np.array(rates, np.float32),
            "model.dropout": np.array(dropouts, np.float32),
            "l2": np.array(penalties, np.float32),
        }
        for rates, dropouts, penalties in [
            ([0.1, 0.5], [0.0, 0.4], [0.0, 0.1]),
            ([0.2, 0.3], [0.3, 0.6], [0.2, 0.0]),
        ]
    ]
    together = [program(population) for population in populations]
    assert len(traces) == 1
    params, losses = together[0]
    for member in range(2):
        values = {name: float(v[member]) for name, v in populations[0].items()}
        alone, loss = jax.jit(lambda values=values: train(values))()
        assert float(losses[member]) == pytest.approx(float(loss), rel=1e-5)
        for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(ours[member], theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sizes", [(5, 2, 1), pytest.param((2, 2, 2, 2), marks=pytest.mark.slow)])
def test_accumulated_batches_make_the_update_of_one_large_batch(batch, sizes, reduction):
    """However unequal the batches are; the penalty counts once."""
    whole = dataclasses.replace(
        LEARNER, optimizer=Adam(learning_rate=0.1), l2=0.1, reduction=reduction
    )
    after, _ = step(whole, init(whole, jax.random.key(0), batch), batch)
    parts = fields.replace(whole, {"optimizer.accumulation_steps": len(sizes)})
    state, first = init(parts, jax.random.key(0), batch), 0
    for size in sizes:
        part = {name: array[first : first + size] for name, array in batch.items()}
        state, _ = step(parts, state, part)
        first += size
    assert_close(state.params, after.params, rtol=1e-4, atol=1e-6)


def test_accumulated_texts_of_unequal_lengths_make_the_update_of_all_their_words():
    learner = Supervised(Elementwise(), optimizer=SGD(learning_rate=0.5), metrics=())
    texts = sequences(0)
    texts["targets"] = np.where(np.arange(5) < [[5], [4], [1], [1]], texts["targets"] % 3, -1)
    state = init(learner, jax.random.key(0), texts)
    expected, _ = step(learner, state, texts)
    halves = fields.replace(learner, {"optimizer.accumulation_steps": 2})
    state = init(halves, jax.random.key(0), texts)
    for rows in (slice(0, 2), slice(2, 4)):
        state, _ = step(halves, state, {name: array[rows] for name, array in texts.items()})
    assert_close(state.params, expected.params, rtol=1e-5, atol=1e-6)


class Normalised(nn.Module):
    """A batch normalisation that keeps the statistics of its last batch alone."""

    @nn.compact
    def __call__(self, x, *, train=False):
        norm = nn.BatchNorm(use_running_average=not train, momentum=0.0, name="norm")
        return nn.Dense(3)(norm(x))


@pytest.mark.parametrize("garbage", [0.0, 50.0, np.nan])
def test_batch_statistics_are_those_of_the_examples_that_count(batch, garbage):
    learner = dataclasses.replace(LEARNER, model=Normalised())
    few = {name: array[:3] for name, array in batch.items()}
    state = init(learner, jax.random.key(0), few)
    expected, _ = step(learner, state, few)
    padded = {**batch, "inputs": batch["inputs"].copy(), "mask": np.float32(np.arange(8) < 3)}
    padded["inputs"][3:] = garbage
    after, _ = step(learner, state, padded)
    statistics = after.model_state["batch_stats"]["norm"]
    np.testing.assert_allclose(statistics["mean"], few["inputs"].mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(statistics["var"], few["inputs"].var(0), rtol=1e-4, atol=1e-6)
    assert_close(after.params, expected.params, rtol=1e-4, atol=1e-6)
    # A batch of which nothing counts has no mean.
    unchanged, _ = step(learner, after, {**padded, "mask": np.zeros(8, np.float32)})
    assert_close(unchanged.model_state, after.model_state, rtol=0)


def test_dropout_is_a_function_of_the_key_and_the_step(batch):
    learner = dataclasses.replace(LEARNER, model=MLP(features=(50,), outputs=3, dropout=0.5))
    state = init(learner, jax.random.key(0), batch)
    step = jax.jit(learner.step)
    first, again = step(state, batch)[1], step(state, batch)[1]
    assert first["loss"].value() == again["loss"].value()
    later = step(state.replace(step=state.step + 1), batch)[1]
    other = step(state.replace(key=jax.random.key(9)), batch)[1]
    assert len({measured["loss"].value() for measured in (first, later, other)}) == 3


def test_label_smoothing_is_in_the_loss(batch):
    smoothed = dataclasses.replace(LEARNER, label_smoothing=0.3)
    state = init(LEARNER, jax.random.key(0), batch)
    logits = LEARNER.outputs(state, batch["inputs"])
    targets = optax.smooth_labels(jax.nn.one_hot(batch["targets"], 3), 0.3)
    expected = float(optax.softmax_cross_entropy(logits, targets).mean())
    assert smoothed.evaluate(state, batch)["loss"].value() == pytest.approx(expected, rel=1e-5)


def test_a_metric_may_be_a_function(batch):
    def margin(predictions, targets):
        return jnp.max(predictions, axis=-1)

    learner = dataclasses.replace(LEARNER, metrics=("accuracy", margin))
    state = init(learner, jax.random.key(0), batch)
    measured = metrics.values(jax.jit(learner.evaluate)(state, batch))
    assert set(measured) == {"loss", "accuracy", "margin"}
    expected = np.max(learner.predict(state, batch["inputs"]), axis=-1).mean()
    np.testing.assert_allclose(measured["margin"], expected, rtol=1e-6)


def test_predictions_are_probabilities(batch):
    state = init(LEARNER, jax.random.key(0), batch)
    np.testing.assert_allclose(
        LEARNER.predict(state, batch["inputs"]),
        jax.nn.softmax(LEARNER.outputs(state, batch["inputs"])),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -0.1}, "the penalty l2 must be at least 0, not -0.1"),
        ({"label_smoothing": 1.0}, "the label smoothing must be below 1, not 1.0"),
        ({"reduction": "average"}, "reduction must be 'mean' or 'sum', not 'average'"),
        ({"label_smoothing": 0.1, "loss": "quadratic"}, "'quadratic' takes no label smoothing"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(LEARNER, **options)


# Sequences: a target for each element -------------------------------------------------------------


class WithoutTrain(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x)


class WithoutParameters(nn.Module):
    def __call__(self, x, *, train):
        return x


class NeedsMore(nn.Module):
    @nn.compact
    def __call__(self, x, other, *, train):
        return nn.Dense(3)(x + other)


class Noisy(nn.Module):
    """Draws random numbers of a kind of its own: in training, or always."""

    always: bool

    @nn.compact
    def __call__(self, x, *, train):
        if train or self.always:
            x += jax.random.normal(self.make_rng("noise"), x.shape)
        return nn.Dense(3)(x)


def test_a_model_may_draw_any_kind_of_random_numbers_in_training(batch):
    learner = dataclasses.replace(LEARNER, model=Noisy(always=False))
    state = init(learner, jax.random.key(0), batch)
    values = [step(learner, state, batch)[1]["loss"].value() for _ in range(2)]
    later = step(learner, state.replace(step=state.step + 1), batch)[1]["loss"].value()
    assert values[0] == values[1] != later
    evaluate(learner, state, batch)
    with pytest.raises(UserError, match="Noisy draws random numbers 'noise' in evaluation, whose"):
        dataclasses.replace(learner, model=Noisy(always=True)).evaluate(state, batch)


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.adam(0.1),
        functools.partial(optax.adam, learning_rate=0.1),
        FromOptax(factory=optax.adam, learning_rate=0.1),
        Adam(learning_rate=lambda step: 0.1),
        Adam(schedule=functools.partial(optax.constant_schedule, 100.0)),
    ],
)
def test_an_optimizer_or_its_rate_may_be_optaxs_or_a_function(batch, optimizer):
    expected = dataclasses.replace(LEARNER, optimizer=Adam(learning_rate=0.1))
    learner = dataclasses.replace(LEARNER, optimizer=optimizer)
    ends = []
    for one in (expected, learner):
        state = one.init(jax.random.key(0), batch)
        state, _ = one.step(state, batch)
        ends.append((state.params, one.outputs(state, batch["inputs"])))
    assert_close(*ends, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (optax.adam, "the optimizer adam needs learning_rate; give functools.partial"),
        ("adam", "an optimizer must be one of nnjax.optimizers, such as Adam"),
    ],
)
def test_what_is_no_optimizer_is_refused(batch, optimizer, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(LEARNER, optimizer=optimizer).init(jax.random.key(0), batch)


class Returns(nn.Module):
    what: str

    @nn.compact
    def __call__(self, x, *, train):
        y = nn.Dense(3)(x)
        return {"nothing": None, "classes": y.argmax(-1), "numbers": y[:, 0]}[self.what]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (WithoutTrain(), "WithoutTrain is called with train=True in training and train=False in"),
        (
            NeedsMore(),
            r"called as model\(inputs, train=\.\.\.\), and its __call__ also needs other",
        ),
        (WithoutParameters(), "WithoutParameters has no parameters to train"),
        (Returns("nothing"), "the outputs of Returns are NoneType; return floats"),
        (Returns("classes"), r"the outputs of Returns are int32 of shape \(8,\); return floats"),
        (Returns("numbers"), r"the outputs of Returns are float32 of shape \(8,\); return floats"),
    ],
)
def test_models_that_cannot_be_trained_are_refused(batch, model, message):
    with pytest.raises(UserError, match=message):
        Supervised(model).init(jax.random.key(0), batch)


class Elementwise(nn.Module):
    """A linear classifier of every element of a sequence."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(3)(x)


def sequences(padding):
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(4, 5, 2)).astype(np.float32)
    targets = generator.integers(0, 3, (4, 5)).astype(np.int32)
    targets[1, 3:] = -1
    targets[2] = -1
    inputs = np.pad(inputs, ((0, 0), (0, padding), (0, 0)), constant_values=7.0)
    return {
        "inputs": inputs,
        "targets": np.pad(targets, ((0, 0), (0, padding)), constant_values=-1),
    }


def test_padding_of_sequences_changes_no_update_and_no_metric():
    learner = Supervised(Elementwise(), metrics=("accuracy", "sequence_accuracy"))
    state = init(learner, jax.random.key(0), sequences(0))
    after, measured = step(learner, state, sequences(0))
    padded_after, padded = step(learner, state, sequences(6))
    assert float(measured["loss"].count) == 4 * 5 - 2 - 5 == float(padded["loss"].count)
    for name in measured:
        assert padded[name].value() == pytest.approx(measured[name].value(), rel=1e-6)
    for ours, theirs in zip(
        jax.tree.leaves(after.params), jax.tree.leaves(padded_after.params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_the_loss_of_sequences_is_the_mean_over_their_targets():
    learner, batch = Supervised(Elementwise()), sequences(0)
    state = init(learner, jax.random.key(0), batch)
    logits = learner.model.apply({"params": state.params}, batch["inputs"])
    present = batch["targets"] >= 0
    expected = optax.softmax_cross_entropy_with_integer_labels(
        logits[present], batch["targets"][present]
    ).mean()
    assert evaluate(learner, state, batch)["loss"].value() == pytest.approx(
        float(expected), rel=1e-6
    )


# Several devices and populations ------------------------------------------------------------------


def lifted(how, learner):
    """The step over four devices, from a whole batch."""
    mapped = functools.partial(learner.step, axis_name="data")
    if how == "pmap":
        step = jax.pmap(mapped, "data", in_axes=(None, 0), out_axes=(None, None))
        return lambda state, batch: step(
            state, jax.tree.map(lambda leaf: leaf.reshape(4, -1, *leaf.shape[1:]), batch)
        )
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere, parted = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("data")
    specs = {"in_specs": (everywhere, parted), "out_specs": (everywhere, everywhere)}
    return jax.jit(jax.shard_map(mapped, mesh=mesh, **specs))


@pytest.mark.parametrize("how", ["shard_map", *slow("pmap")])
def test_accumulation_over_devices_counts_what_the_mask_leaves(batch, how):
    """One device has nothing that counts, in the first batch or in the second."""
    learner = dataclasses.replace(LEARNER, metrics=(), l2=0.1)
    halves = fields.replace(learner, {"optimizer.accumulation_steps": 2})
    first = {**batch, "mask": np.float32([1, 1, 0, 0, 1, 0, 1, 1])}
    second = {**batch, "mask": np.float32([0, 0, 1, 0, 0, 0, 0, 1])}
    both = jax.tree.map(lambda one, other: np.concatenate([one, other]), first, second)
    state = init(learner, jax.random.key(0), batch)
    expected, _ = step(learner, state, both)
    update, state = lifted(how, halves), init(halves, jax.random.key(0), batch)
    for one in (first, second):
        state, _ = update(state, one)
    assert_close(state.params, expected.params, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["pmap", "shard_map"])
def test_the_running_mean_over_devices_is_that_of_the_examples_that_count(batch, how):
    learner = dataclasses.replace(LEARNER, model=Normalised(), metrics=())
    masked = {**batch, "mask": np.float32([1, 1, 0, 0, 1, 0, 1, 1])}
    state = init(learner, jax.random.key(0), batch)
    after, _ = lifted(how, learner)(state, masked)
    mean = batch["inputs"][masked["mask"] > 0].mean(0)
    statistics = after.model_state["batch_stats"]["norm"]
    np.testing.assert_allclose(statistics["mean"], mean, rtol=1e-5, atol=1e-6)


def test_a_population_accumulates_and_masks_as_its_members_do(batch):
    learner = fields.replace(LEARNER, {"model": Normalised(), "optimizer.accumulation_steps": 2})
    masked = {**batch, "mask": np.float32(np.arange(8) < 3)}

    def train(rate):
        changed = fields.replace(learner, {"optimizer.learning_rate": rate})
        state = changed.init(jax.random.key(0), batch)
        for one in (masked, {**batch, "mask": np.ones(8, np.float32)}, masked):
            state, _ = changed.step(state, one)
        return state.params, state.model_state

    together = jax.jit(jax.vmap(train))(jnp.array([0.1, 0.5]))
    alone = jax.jit(train)
    for member, rate in enumerate((0.1, 0.5)):
        own = jax.tree.map(lambda leaf, index=member: leaf[index], together)
        assert_close(own, alone(rate), rtol=2e-5, atol=1e-6)
