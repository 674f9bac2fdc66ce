"""What does not fit together is refused before training, in one sentence."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from marks import slow

from nnjax.cli.options import parse
from nnjax.data import Blobs, Dataset, RecordStream, Vocabulary
from nnjax.errors import UserError
from nnjax.learners import Supervised
from nnjax.metrics import top_k_accuracy
from nnjax.models import MLP
from nnjax.optimizers import SGD, Adam, Group
from nnjax.summary import summarise
from nnjax.training import Experiment, Training, fit
from nnjax.training.best import make_monitor
from nnjax.training.divergence_advice import advice
from nnjax.training.dry_run import dry_run
from nnjax.training.experiment import fit_to_data

INPUTS = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
SPLIT = {"inputs": INPUTS, "targets": np.arange(10, dtype=np.int32) % 3}
DATA = Dataset({"train": SPLIT, "validation": SPLIT}, ("a", "b", "c"))
LEARNER = Supervised(MLP(features=(3,)), optimizer=SGD(learning_rate=0.5))
TRAINING = Training(epochs=1, batch_size=8)


def changed(**options):
    return dataclasses.replace(LEARNER, **options)


def own(outputs, targets):
    return jnp.max(outputs, axis=-1)


class Own(nn.Module):
    """A model that does not say how many outputs it has."""

    count: int

    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(self.count)(x)


class NeedsMore(nn.Module):
    @nn.compact
    def __call__(self, x, lengths, *, train=False):
        return nn.Dense(3)(x)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MLP(outputs=30), "MLP with 30 outputs would predict classes that the data, with 3, does"),
        (Own(4), "Own with 4 outputs would predict classes that the data, with 3, does not have; "),
        (Own(2), "Own with 2 outputs cannot tell 3 classes apart"),
    ],
)
def test_outputs_fit_the_classes_in_both_directions(model, message):
    with pytest.raises(UserError, match=message):
        fit_to_data(Supervised(model), DATA, TRAINING)


def test_outputs_fit_the_words():
    words = Vocabulary(("x", "y"))
    data = Dataset({"train": SPLIT}, None, target_vocabulary=words, preprocess=None)
    for outputs in (len(words) - 1, len(words) + 1):
        with pytest.raises(UserError, match=f"MLP with {outputs} outputs? does not fit the"):
            fit_to_data(Supervised(MLP(outputs=outputs)), data, TRAINING)


class Records:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return {"inputs": INPUTS[index]}


def test_a_stream_without_labels():
    stream = RecordStream({"train": Records()}, None)
    with pytest.raises(
        UserError, match="must hold the arrays inputs and targets; the first holds inputs"
    ):
        fit(LEARNER, stream, TRAINING)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LEARNER, DATA, {"epochs": 1}), "training must be options, such as Training"),
        ((DATA, LEARNER, TRAINING), "learner must be a learner, such as Supervised"),
        ((LEARNER.model, DATA, TRAINING), "learner must be a learner, such as Supervised"),
        ((LEARNER, Blobs(), TRAINING), r"the data is a source, Blobs; give fit what its load\(\)"),
        ((LEARNER, (INPUTS, INPUTS), TRAINING), "the data is of type tuple"),
        ((Supervised(MLP), DATA, TRAINING), "model must be a Flax module, such as MLP"),
        ((changed(optimizer=Adam(accumulation_steps=2.5)), DATA, TRAINING), "must be a whole numb"),
        ((changed(optimizer=Adam(groups=Group("*"))), DATA, TRAINING), "optimizer.groups must be"),
        ((changed(label_smoothing="0.1"), DATA, TRAINING), "label_smoothing must be a number"),
    ],
)
def test_arguments_of_another_type(arguments, message):
    with pytest.raises(UserError, match=message):
        fit(*arguments)


def test_a_run_of_another_type():
    with pytest.raises(UserError, match="run must be a Run, such as"):
        fit(LEARNER, DATA, TRAINING, run="runs/x")


def test_a_model_that_needs_more_than_inputs_is_summarised_in_a_sentence():
    message = r"NeedsMore is called as model\(inputs, train=\.\.\.\), and its __call__ also needs"
    with pytest.raises(UserError, match=message):
        summarise(NeedsMore(), INPUTS)
    experiment = Experiment(data=Blobs(), learner=Supervised(NeedsMore()), training=TRAINING)
    with pytest.raises(UserError, match=message):
        dry_run(experiment)


def test_a_metric_of_ones_own_may_decide():
    learner = dataclasses.replace(LEARNER, metrics=(own,))
    with pytest.raises(
        UserError, match="whether a larger own is better; give Supervised a larger_"
    ):
        make_monitor("validation own", learner, DATA)
    learner = dataclasses.replace(learner, larger_is_better=("own",))
    monitor = make_monitor("validation own", learner, DATA)
    assert monitor is not None
    assert (monitor.metric, monitor.maximize) == ("own", True)


def test_a_masked_number_is_not_blamed_for_divergence():
    inputs, targets = INPUTS.copy(), SPLIT["targets"]
    inputs[3] = np.nan
    mask = np.float32(np.arange(10) != 3)
    data = Dataset({"train": {"inputs": inputs, "targets": targets, "mask": mask}}, tuple("abc"))
    assert advice(LEARNER, data) == "lower the learning rate"
    unmasked = Dataset({"train": {"inputs": inputs, "targets": targets}}, tuple("abc"))
    assert "'inputs' of split 'train' holds nan" in advice(LEARNER, unmasked)


def test_functions_in_a_config_stay_unless_an_option_replaces_them():
    learner = dataclasses.replace(
        LEARNER,
        loss=optax.softmax_cross_entropy_with_integer_labels,
        metrics=("accuracy", top_k_accuracy),
        optimizer=Adam(learning_rate=own, schedule=own),
    )
    experiment = Experiment(data=Blobs(), learner=learner, training=TRAINING)
    assert parse(experiment, [], "nnjax train x").experiment.learner == learner
    words = ["--loss", "quadratic", "--optimizer.learning-rate", "0.5", "--metrics", "accuracy"]
    changed = parse(experiment, words, "nnjax train x").experiment.learner
    assert changed.loss == "quadratic"
    assert changed.metrics == ("accuracy",)
    assert changed.optimizer == Adam(learning_rate=0.5, schedule=own)
    factory = dataclasses.replace(learner, optimizer=optax.adam)
    experiment = dataclasses.replace(experiment, learner=factory)
    assert parse(experiment, [], "nnjax train x").experiment.learner.optimizer is optax.adam


@pytest.mark.parametrize(("batch_size", "steps"), [(4, 7), *slow((8, 2), (4, 3))])
def test_an_epoch_of_accumulated_batches_is_one_large_batch(batch_size, steps):
    """10 examples in batches of 8 and 2, or of 4, 4 and 2, make the update of all 10."""
    accumulating = dataclasses.replace(
        LEARNER, optimizer=SGD(learning_rate=0.5, accumulation_steps=steps)
    )
    options = {"epochs": 1, "monitor": "none"}
    whole = fit(LEARNER, DATA, Training(batch_size=10, **options)).state.params
    parts = fit(accumulating, DATA, Training(batch_size=batch_size, **options)).state.params
    for layer in whole:
        for name, array in whole[layer].items():
            np.testing.assert_allclose(parts[layer][name], array, rtol=1e-5, atol=1e-6)
