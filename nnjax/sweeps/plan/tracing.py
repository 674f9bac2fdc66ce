"""Which fields of an experiment only change numbers, and its learner with those as arguments."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from nnjax import fields
from nnjax.data.dataset import Known
from nnjax.errors import UserError
from nnjax.learners.state import State
from nnjax.training.experiment import Experiment, fit_to_data

Numbers = Mapping[str, Any]
"""Numbers, or arrays of them, by the dotted path of their field."""

SEEDS = ("seed", "data_seed")
"""Fields of the training options that need no tracing: keys and orders are arguments anyway."""


FLAX_DROPOUT = "flax.linen.stochastic"
"""The module of Flax's Dropout, which compares its rate with 0 and 1 in Python."""


def is_number(value: Any) -> bool:
    """Whether a value can become a scalar array."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(experiment: Experiment, paths: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The values of some fields as arrays: float32, or int32 of a field of whole numbers.

    The declared type of the field decides: all trials of a program need the same dtype, whether
    their value is written as 1 or as 0.5.
    """

    def dtype(path: str) -> type:
        return np.int32 if fields.is_whole(experiment, path) else np.float32

    return {path: np.asarray(fields.get(experiment, path), dtype(path)) for path in paths}


class Lifted:
    """A learner some of whose fields are arguments, so that one program takes all their values.

    Attributes:
      paths: of those fields.
    """

    def __init__(self, experiment: Experiment, data: Known, paths: tuple[str, ...]):
        self._experiment, self._data, self.paths = experiment, data, paths

    def learner(self, values: Numbers) -> Any:
        """The learner fitted to the data, with these values, traced or not."""
        experiment = fields.replace(self._experiment, values)
        return fit_to_data(experiment.learner, self._data, self._experiment.training)

    def init(self, values: Numbers, key: jax.Array) -> State:
        """The state that training begins with."""
        return self.learner(values).init(key, self.example())

    def example(self) -> Any:
        """The shapes and dtypes of a batch."""
        batch = self._experiment.training.batch(self._data.size("train"))
        return self._data.example(batch)


def obstacle(experiment: Experiment, data: Known, path: str) -> str | None:
    """Why a field cannot be an argument of a compiled program; None where it can.

    Initialisation, update and evaluation are traced with an abstract value; nothing is computed.
    """
    if not is_number(fields.get(experiment, path)):
        return "is no number"
    lifted = Lifted(experiment, data, (path,))
    shapes = jax.tree.map(_shape, numbers(experiment, (path,)))
    key = jax.eval_shape(lambda: jax.random.key(0))
    try:
        state = _trace(lifted, shapes, key)
    except jax.errors.JAXTypeError as error:
        if _is_raised_in(error, FLAX_DROPOUT):
            return (
                "is the rate of a flax.linen.Dropout, which needs a program for each rate; "
                "nnjax.layers.Dropout takes all rates in one"
            )
        return "decides what is computed"
    except (TypeError, ValueError, AttributeError, UserError):
        return "decides shapes, or what is computed"
    # With a momentum of 0, for example, the state of the optimizer holds no velocity.
    if not _same_shapes(state, jax.eval_shape(lifted.learner({}).init, key, lifted.example())):
        return f"leaves out, at {fields.get(experiment, path):g}, what other values need"
    return None


def _is_raised_in(error: BaseException, module: str) -> bool:
    """Whether the code of a module was running when an error was raised."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == module for frame, _ in frames)


def _trace(lifted: Lifted, values: Numbers, key: Any) -> State:
    """The shapes of a trial's state, after all that a trial does with its learner is traced."""
    example = lifted.example()
    state = jax.eval_shape(lifted.init, values, key)
    jax.eval_shape(_call(lifted, "step"), values, state, example)
    jax.eval_shape(_call(lifted, "evaluate"), values, state, example)
    return state


def _call(lifted: Lifted, name: str) -> Callable:
    return lambda values, *arguments: getattr(lifted.learner(values), name)(*arguments)


def _same_shapes(one: Any, other: Any) -> bool:
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in pairs)


def _shape(array: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)
