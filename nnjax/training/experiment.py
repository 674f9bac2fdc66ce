"""An experiment: data, learner and training options; what a config file holds."""

import dataclasses
from typing import Annotated, Any

import jax
import tyro

from nnjax.data.augmentation import Augment
from nnjax.data.dataset import Known, Source, Stream
from nnjax.data.text.windows import check_lanes
from nnjax.errors import UserError
from nnjax.learners import FullBatch, Learner
from nnjax.metrics import OF_CLASSES
from nnjax.models import SingleNeuron
from nnjax.optimizers import Optimizer
from nnjax.training.options import Training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides a run, as one value.

    Attributes:
      data: where the data comes from.
      learner: the model, the loss and the optimizer, as ``Supervised`` or ``FullBatch`` has them.
      training: how long and how to train.
      script: the experiment script of ``experiments/`` that runs it.
    """

    data: Source
    learner: Annotated[Learner, tyro.conf.arg(name="")]
    training: Annotated[Training, tyro.conf.arg(name="")]
    script: Annotated[str, tyro.conf.Suppress] = "classification"

    def __post_init__(self):
        _check_methods("data", self.data, ("load",), "a source, such as Digits()")
        _check_methods(
            "learner", self.learner, ("init", "step", "evaluate"), "a learner, such as Supervised()"
        )
        if not isinstance(self.training, Training):
            raise UserError(
                f"training must be options, such as Training(epochs=3), not {self.training!r}"
            )


def _check_methods(name: str, value: Any, methods: tuple[str, ...], wanted: str) -> None:
    """Refuses, in the place of a source or learner, what lacks its methods, and a mere class."""
    if isinstance(value, type):
        raise UserError(f"{name} must be {wanted}, not the class {value.__name__}: call it")
    if missing := _missing(value, methods):
        raise UserError(f"{name} must be {wanted}; {value!r} has no method {missing[0]}")


def _missing(value: Any, methods: tuple[str, ...]) -> list[str]:
    return [method for method in methods if not callable(getattr(value, method, None))]


def check_data(data: Any) -> None:
    """Refuses what is no data: where a source's ``load`` forgets to return it, say.

    Raises:
      UserError: it is no data set, no stream, and no specification of one.
    """
    if _missing(data, ("size", "prepare", "example")):
        raise UserError(
            f"the data is of type {type(data).__name__}; load() must return a Dataset or a Stream"
        )


def fit_to_data(learner: Any, data: Known, training: Training) -> Any:
    """Fills in what a learner takes from the data: numbers of outputs and words, the schedule.

    Args:
      learner: a learner; ``model.outputs``, ``model.vocabulary``, ``model.target_vocabulary`` and
        ``optimizer.schedule.steps`` may be None, or there may be no ``model`` and ``optimizer``.
      data: gives the numbers of outputs, of words and of training examples.
      training: gives the length of the run.

    Raises:
      UserError: the learner measures an accuracy and the data has no classes, its model has fewer
        outputs than the data has classes, or it wants the same examples at every step and would not
        get them.
    """
    check_data(data)
    examples = data.size("train")
    _check_metrics(getattr(learner, "metrics", ()), data)
    if isinstance(learner, FullBatch):
        _check_full_batch(data, training)
    if (lanes := getattr(data, "lanes", None)) is not None:
        check_lanes(lanes, training.batch_size)
    fitted: dict[str, Any] = {}
    model, optimizer = getattr(learner, "model", None), getattr(learner, "optimizer", None)
    if model is not None and (full := _fit_model(model, data)) is not model:
        fitted["model"] = model = full
    if isinstance(optimizer, Optimizer):
        fitted["optimizer"] = optimizer.for_run(training.total_steps(examples))
    learner = dataclasses.replace(learner, **fitted) if fitted else learner
    _check_outputs(learner, model, data)
    return learner


def _fit_model(model: Any, data: Known) -> Any:
    """Fills in the fields of a model that are None and that the data determines."""
    found = {"outputs": data.outputs}
    for name in ("vocabulary", "target_vocabulary"):
        if (vocabulary := getattr(data, name, None)) is not None:
            found[name] = len(vocabulary)
    missing = {name: count for name, count in found.items() if getattr(model, name, 0) is None}
    return dataclasses.replace(model, **missing) if missing else model


def _check_metrics(names: tuple[str, ...], data: Known) -> None:
    """Refuses the accuracy of a regression: near 0 always, it would decide which state is best."""
    needless = [name for name in names if name in OF_CLASSES]
    if needless and data.classes is None and getattr(data, "target_vocabulary", None) is None:
        raise UserError(
            f"the data has no classes to measure the {needless[0]} of; set metrics to "
            "mean_absolute_error"
        )


def _outputs(learner: Any, model: Any, data: Known) -> int | None:
    """How many outputs a model has; where it does not say, its shapes do."""
    if isinstance(model, SingleNeuron):
        return 1
    if model is None or hasattr(model, "outputs") or not hasattr(learner, "outputs"):
        return getattr(model, "outputs", None)
    if data.classes is None:
        return None

    def outputs(key: jax.Array, batch: Any) -> jax.Array:
        return learner.outputs(learner.init(key, batch), batch["inputs"])

    return jax.eval_shape(outputs, jax.random.key(0), data.example()).shape[-1]


def _check_outputs(learner: Any, model: Any, data: Known) -> None:
    """Refuses too few outputs: one tells two classes apart, but a softmax of one is always 1."""
    outputs, loss = _outputs(learner, model, data), getattr(learner, "loss", None)
    if outputs is None:
        return
    if data.classes is not None and len(data.classes) == 1:
        raise UserError(
            f"the data has one class only, '{data.classes[0]}'; a classifier needs examples of two"
        )
    if data.classes is not None and len(data.classes) > max(outputs, 2):
        raise UserError(
            f"{type(model).__name__} with {outputs} output{'s' * (outputs != 1)} cannot tell "
            f"{len(data.classes)} classes apart; take a model with an output for each"
        )
    if outputs == 1 and loss == "categorical_cross_entropy":
        other = "mean_squared_error" if data.classes is None else "binary_cross_entropy"
        raise UserError(
            f"the categorical_cross_entropy of a single output is always 0; set loss to {other}"
        )


def _check_full_batch(data: Known, training: Training) -> None:
    """Refuses what would make the objective of a solver another function at every step."""
    if training.batch(data.size("train")) != data.size("train"):
        raise UserError(
            f"FullBatch takes every example at once, not batches of {training.batch_size}; set "
            "batch_size to 0"
        )
    if isinstance(data, Stream):
        raise UserError("FullBatch takes every example at once, which a stream does not give")
    if data.augment != Augment():
        raise UserError("FullBatch needs the same examples at every step; leave data.augment out")
