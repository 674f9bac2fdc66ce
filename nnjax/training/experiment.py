"""An experiment: data, learner and training options, the content of a config file."""

import dataclasses
from typing import Annotated, Any, cast

import flax.linen as nn
import jax
import optax
import tyro

from nnjax import fields, losses
from nnjax.data.augmentation import Augment
from nnjax.data.dataset import Known, Source, Stream
from nnjax.data.text.windows import check_lanes
from nnjax.errors import UserError
from nnjax.field_types import conform_value
from nnjax.learners import FullBatch, Learner, Supervised
from nnjax.metrics import OF_CLASSES
from nnjax.models import SingleNeuron
from nnjax.optimizers import Optimizer
from nnjax.training.options import Training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides a run, as one value.

    Attributes:
      data: where the data come from.
      learner: the model, the loss and the optimizer, as ``Supervised`` or ``FullBatch`` has them.
      training: the options of the training loop.
      script: the experiment script of ``experiments/`` that runs it.

    Raises:
      UserError: a part is something else.

    Example:
      >>> from nnjax.data import Circles
      >>> from nnjax.learners import Supervised
      >>> from nnjax.models import MLP
      >>> from nnjax.training import Experiment, Training
      >>> learner = Supervised(MLP(features=(4,)))
      >>> Experiment(data=Circles(), learner=learner, training=Training(epochs=3)).script
      'classification'
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
    """Refuses a source or learner without its methods, and a class in place of an instance."""
    if isinstance(value, type):
        raise UserError(f"{name} must be {wanted}, not the class {value.__name__}: call it")
    if missing := _missing(value, methods):
        raise UserError(f"{name} must be {wanted}; {_shown(value)} has no method {missing[0]}")


def _shown(value: Any) -> str:
    """A value as messages show it; of a long one, such as a data set, only the type."""
    shown = repr(value)
    return shown if len(shown) < 80 else f"a {type(value).__name__}"


def _missing(value: Any, methods: tuple[str, ...]) -> list[str]:
    return [method for method in methods if not callable(getattr(value, method, None))]


def check_data(data: Any) -> None:
    """Refuses anything but data, such as the None of a ``load`` that forgets to return its data.

    Raises:
      UserError: it is no data set, no stream, and no specification of one.
    """
    if _missing(data, ("size", "prepare", "example")):
        raise UserError(
            f"the data is of type {type(data).__name__}; it must be a Dataset or a Stream, as the "
            "load() of a source returns it"
        )


def check_arguments(learner: Any, data: Any, training: Any, run: Any = None) -> None:
    """Refuses arguments of ``fit`` that are of another type, such as a dict of options.

    Raises:
      UserError: names the argument or the field, what it must be, and what it is.
    """
    _check_methods(
        "learner", learner, ("init", "step", "evaluate"), "a learner, such as Supervised(model)"
    )
    if callable(getattr(data, "load", None)):
        raise UserError(
            f"the data is a source, {type(data).__name__}; give fit what its load() returns"
        )
    check_data(data)
    if not isinstance(training, Training):
        raise UserError(f"training must be options, such as Training(epochs=3), not {training!r}")
    if run is not None and not callable(getattr(run, "append_metrics", None)):
        raise UserError(f"run must be a Run, such as Run.create(...) returns, not {_shown(run)}")
    if isinstance(learner, Supervised | FullBatch):
        _check_fields(learner)


def _check_fields(learner: Supervised | FullBatch) -> None:
    """Refuses values of another type in the fields of a learner and of its optimizer.

    A model of the user's own is not checked field by field: Flax does not, either.
    """
    model = learner.model
    if not isinstance(model, nn.Module):
        hint = f"the class {model.__name__}: call it" if isinstance(model, type) else _shown(model)
        raise UserError(f"model must be a Flax module, such as MLP(), not {hint}")
    for name in fields.names(type(learner)):
        value = getattr(learner, name)
        # The declared type leaves transformations of Optax out, since the command line does.
        if name != "model" and not isinstance(value, optax.GradientTransformation):
            conform_value(learner, name, value)


def fit_to_data(learner: Any, data: Known, training: Training) -> Any:
    """Returns the learner with what the data determine: numbers of outputs and words, the schedule.

    Args:
      learner: a learner; ``model.outputs``, ``model.vocabulary``, ``model.target_vocabulary`` and
        ``optimizer.schedule.steps`` may be None, or there may be no ``model`` and ``optimizer``.
      data: gives the numbers of outputs, of words and of training examples.
      training: gives the length of the run.

    Raises:
      UserError: the data has no targets, the learner measures an accuracy and the data has no
        classes, its model has fewer or more outputs than the data has classes, or it needs the same
        examples at every step and would not get them.
    """
    check_data(data)
    if isinstance(learner, Supervised | FullBatch):
        _check_targets(data)
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
    """The model, with values for fields that are None and that the data determine."""
    found = {"outputs": data.outputs}
    for name in ("vocabulary", "target_vocabulary"):
        if (vocabulary := getattr(data, name, None)) is not None:
            found[name] = len(vocabulary)
    missing = {name: count for name, count in found.items() if getattr(model, name, 0) is None}
    return dataclasses.replace(model, **missing) if missing else model


def _check_targets(data: Known) -> None:
    """Refuses data without labels, as a stream of one's own may be."""
    if missing := [name for name in ("inputs", "targets") if name not in data.stored]:
        raise UserError(
            f"the examples of the data hold {', '.join(data.stored)} but no {missing[0]}; "
            "supervised learning needs inputs and targets of each example"
        )


def _check_metrics(names: tuple[str, ...], data: Known) -> None:
    """Refuses the accuracy of a regression: always near 0, it could decide which state is best."""
    needless = [name for name in names if name in OF_CLASSES]
    if needless and data.classes is None and getattr(data, "target_vocabulary", None) is None:
        raise UserError(
            f"the data has no classes to measure the {needless[0]} of; set metrics to "
            "mean_absolute_error"
        )


def _outputs(learner: Any, model: Any, data: Known) -> int | None:
    """The number of outputs of a model: its field, else the shape of what it returns."""
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
    """Refuses too few and too many outputs.

    One output tells two classes apart, but a softmax of one is always 1. A prediction of a class
    that the data does not have could not be counted or named.
    """
    outputs, loss = _outputs(learner, model, data), _loss_name(learner)
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
    if data.classes is not None and outputs > len(data.classes):
        raise UserError(
            f"{type(model).__name__} with {outputs} outputs would predict classes that the data, "
            f"with {len(data.classes)}, does not have; set its outputs to {len(data.classes)}, or "
            "leave them out"
        )
    words = None if data.classes else getattr(data, "target_vocabulary", None)
    if words is not None and outputs != len(words):
        raise UserError(
            f"{type(model).__name__} with {outputs} output{'s' * (outputs != 1)} does not fit the "
            f"{len(words)} words of the data; set its outputs to {len(words)}, or leave them out"
        )
    if outputs == 1 and loss == "categorical_cross_entropy":
        other = "mean_squared_error" if data.classes is None else "binary_cross_entropy"
        raise UserError(
            f"the categorical_cross_entropy of a single output is always 0; set loss to {other}"
        )


def _loss_name(learner: Any) -> str | None:
    """The name of the loss of a learner, if it has one whose name is known."""
    loss = getattr(learner, "loss", None)
    is_loss = isinstance(loss, str) or callable(loss)
    return losses.known_name(cast(Any, loss)) if is_loss else None


def _check_full_batch(data: Known, training: Training) -> None:
    """Refuses options that would make the objective of a solver change from step to step."""
    if training.batch(data.size("train")) != data.size("train"):
        raise UserError(
            f"FullBatch takes every example at once, not batches of {training.batch_size}; set "
            "batch_size to 0"
        )
    if isinstance(data, Stream):
        raise UserError("FullBatch takes every example at once, which a stream does not give")
    if data.augment != Augment():
        raise UserError("FullBatch needs the same examples at every step; leave data.augment out")
