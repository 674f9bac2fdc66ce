"""The full-batch learner: solvers on real losses, against scikit-learn, in the training loop."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nnjax.data import Circles, Dataset
from nnjax.errors import UserError
from nnjax.layers.cells import GRUCell
from nnjax.layers.recurrence.recurrent import Recurrent
from nnjax.learners import FullBatch
from nnjax.learners.supervised import sum_of_squared_weights
from nnjax.models import MLP, SequenceTagger, SingleNeuron
from nnjax.runs.config_json import from_json, to_json
from nnjax.runs.run import Run
from nnjax.solvers import BFGS, DFP, LBFGS, LevenbergMarquardt, Newton, NonlinearCG
from nnjax.training import Experiment, Training, fit

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3)).astype(np.float32)
CURVE = {"inputs": X, "targets": np.sin(X @ np.array([1.0, -0.5, 0.3], np.float32))[:, None]}
LABELS = (X[:, 0] - X[:, 1] + 0.7 * GENERATOR.normal(size=60) > 0).astype(np.int32)
CLASSES = {"inputs": X, "targets": LABELS}
CURVE_FIT = FullBatch(MLP(features=(4,), outputs=1), loss="mean_squared_error", metrics=())


def init(learner, batch):
    return jax.jit(learner.init)(jax.random.key(0), batch)


def run(learner, batch, steps):
    @jax.jit
    def program(state):
        def body(state, _):
            state, measured = learner.step(state, batch)
            return state, measured["loss"].total / measured["loss"].count

        return jax.lax.scan(body, state, length=steps)

    return program(init(learner, batch))


@pytest.mark.parametrize(
    ("solver", "bound"),
    [
        (Newton(), 1e-3),
        (BFGS(), 5e-3),
        (DFP(), 0.05),
        (LBFGS(), 5e-3),
        (NonlinearCG(), 0.05),
        (LevenbergMarquardt(), 1e-4),
    ],
)
def test_every_solver_fits_a_curve(solver, bound):
    state, losses = run(dataclasses.replace(CURVE_FIT, solver=solver), CURVE, 100)
    assert float(losses[0]) > 0.3
    assert float(losses[-1]) < bound
    assert (np.diff(losses) <= 1e-6).all()
    assert int(state.step) == 100


@pytest.mark.parametrize("solver", [Newton(), BFGS(), LBFGS()])
def test_a_penalised_neuron_is_scikit_learns_logistic_regression(solver):
    learner = FullBatch(
        SingleNeuron(), loss="binary_cross_entropy", solver=solver, l2=1 / (2.0 * len(X))
    )
    state, _ = run(learner, CLASSES, 40)
    expected = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000).fit(X.astype(float), LABELS)
    neuron = state.params["neuron"]
    # Half the digits of float32: a line search compares values, flat at the minimum.
    np.testing.assert_allclose(neuron["weights"], expected.coef_[0], atol=1e-3)
    np.testing.assert_allclose(neuron["bias"], expected.intercept_[0], atol=1e-3)
    np.testing.assert_allclose(
        learner.predict(state, X)[:, 0], expected.predict_proba(X.astype(float))[:, 1], atol=1e-3
    )


@pytest.mark.parametrize("loss", ["quadratic", "mean_squared_error"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_half_the_squared_residuals_are_the_loss(loss, reduction):
    """Levenberg-Marquardt minimises what the other solvers do: mask, penalty and all."""
    learner = FullBatch(
        MLP(features=(4,), outputs=2),
        loss=loss,
        solver=LevenbergMarquardt(),
        metrics=(),
        l2=0.3,
        reduction=reduction,
    )
    batch = {"inputs": X, "targets": np.stack([X[:, 0], X[:, 1]], 1)}
    batch["mask"] = (np.arange(60) % 4 > 0).astype(np.float32)
    state = init(learner, batch)
    residuals = jax.jit(learner._residuals)(state, batch)
    values = jax.jit(learner.evaluate)(state, batch)["loss"]
    expected = values.total / (values.count if reduction == "mean" else 1)
    expected += 0.15 * sum_of_squared_weights(state.params)
    assert float(0.5 * jnp.sum(jnp.square(residuals))) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_half_the_squared_residuals_of_sequences_are_the_loss(reduction):
    """Every target is an example of its own, and padding none."""
    model = SequenceTagger(recurrent=Recurrent(GRUCell(4)), embedding=None, vocabulary=5, outputs=3)
    learner = FullBatch(
        model, loss="quadratic", solver=LevenbergMarquardt(), metrics=(), reduction=reduction
    )
    batch = {
        "inputs": np.array([[0, 1, 2, 3, 4], [4, 3, 2, -1, -1], [1, 1, 1, 1, -1]], np.int32),
        "targets": np.array([[0, 1, 2, 0, 1], [1, 0, 2, -1, -1], [2, 2, 1, 0, -1]], np.int32),
        "mask": np.array([1, 1, 0], np.float32),
    }
    state = init(learner, batch)
    expected = jax.jit(learner._loss)(state, batch)
    residuals = jax.jit(learner._residuals)(state, batch)
    assert float(0.5 * jnp.sum(jnp.square(residuals))) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    "loss", ["binary_cross_entropy", "categorical_cross_entropy", "perceptron"]
)
def test_levenberg_marquardt_is_refused_for_other_losses(loss):
    with pytest.raises(UserError, match=f"needs a squared cost, not '{loss}'; choose one of quad"):
        FullBatch(MLP(), loss=loss, solver=LevenbergMarquardt())


def test_it_measures_before_the_iteration_and_needs_no_mapped_axis():
    learner = dataclasses.replace(CURVE_FIT, solver=LBFGS())
    state = init(learner, CURVE)
    _, measured = jax.jit(learner.step)(state, CURVE)
    expected = jax.jit(learner.evaluate)(state, CURVE)
    assert measured["loss"].value() == pytest.approx(expected["loss"].value(), rel=1e-6)
    with pytest.raises(UserError, match="cannot run under the mapped axis 'data'"):
        learner.step(state, CURVE, "data")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -1.0}, "the penalty l2 must be at least 0, not -1.0"),
        ({"label_smoothing": 0.1}, "takes no label smoothing"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(CURVE_FIT, **options)


DATA = Dataset({"train": CLASSES, "test": CLASSES}, ("no", "yes"))
CLASSIFIER = FullBatch(MLP(features=(3,)), solver=BFGS(), l2=1e-2)


@pytest.mark.parametrize("devices", [1, 4])
def test_fit_trains_it_on_the_whole_split(devices):
    training = Training(steps=40, batch_size=0, devices=devices, evaluate_every=20)
    result = fit(CLASSIFIER, DATA, training)
    # The same start: `fit` takes the number of outputs from the data.
    learner = dataclasses.replace(CLASSIFIER, model=MLP(features=(3,), outputs=2))
    state, _ = run(learner, CLASSES, 40)
    measured = jax.jit(learner.evaluate)(state, CLASSES)
    assert result.summary["train"]["accuracy"] > 0.8
    assert result.summary["train"]["loss"] == pytest.approx(measured["loss"].value(), rel=1e-3)


def test_batches_are_refused():
    with pytest.raises(UserError, match="every example at once, not batches of 20; set batch_size"):
        fit(CLASSIFIER, DATA, Training(steps=3, batch_size=20))


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    longer = Training(steps=12, batch_size=0, evaluate_every=4)
    shorter = dataclasses.replace(longer, steps=4)
    experiment = Experiment(data=Circles(), learner=CLASSIFIER, training=longer)
    run_directory = Run.create("solver", experiment, directory=tmp_path / "run")
    fit(CLASSIFIER, DATA, shorter, run=run_directory)
    resumed = fit(CLASSIFIER, DATA, longer, run=run_directory, resume=True)
    run_directory.close()
    straight = fit(CLASSIFIER, DATA, longer)
    for ours, theirs in zip(
        jax.tree.leaves(resumed.state.params), jax.tree.leaves(straight.state.params), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_an_experiment_with_it_survives_json():
    training = Training(steps=4, batch_size=0)
    experiment = Experiment(data=Circles(), learner=CLASSIFIER, training=training)
    assert from_json(json.loads(json.dumps(to_json(experiment)))) == experiment


def test_the_command_line_reaches_its_solver():
    from nnjax.cli.options import parse

    training = Training(steps=4, batch_size=0)
    experiment = Experiment(data=Circles(), learner=CLASSIFIER, training=training)
    words = ["--solver", "lbfgs", "--solver.memory", "7", "--l2", "0.5", "--model.features", "8"]
    learner = parse(experiment, words, "nnjax train x").experiment.learner
    assert learner == FullBatch(MLP(features=(8,)), solver=LBFGS(memory=7), l2=0.5)
    words = ["--solver", "levenberg-marquardt"]
    with pytest.raises(UserError, match="LevenbergMarquardt needs a squared cost"):
        parse(experiment, words, "nnjax train x")


@pytest.mark.parametrize("solver_first", [True, False])
def test_the_command_line_replaces_solver_and_loss_in_any_order(solver_first):
    from nnjax.cli.options import parse

    training = Training(steps=4, batch_size=0)
    learner = dataclasses.replace(CLASSIFIER, label_smoothing=0.1)
    experiment = Experiment(data=Circles(), learner=learner, training=training)
    solver = ["--solver", "levenberg_marquardt"]
    rest = ["--loss", "mean_squared_error", "--label-smoothing", "0"]
    words = [*solver, *rest] if solver_first else [*rest, *solver]
    learner = parse(experiment, words, "nnjax train x").experiment.learner
    assert learner.solver == LevenbergMarquardt()
    assert learner.loss == "mean_squared_error"
    with pytest.raises(UserError, match="label smoothing"):
        parse(experiment, [*solver, *rest[:2]], "nnjax train x")
