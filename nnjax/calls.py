"""How models and functions of the user's own are called, and what their names are."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn

from nnjax.errors import UserError


def takes_train(model: Any) -> bool:
    """Whether a model's ``__call__`` takes ``train``."""
    if isinstance(model, nn.Sequential):
        # Its own signature takes anything, and hands it to the first layer.
        return bool(model.layers) and takes_train(model.layers[0])
    options = inspect.signature(model.__call__).parameters.values()
    return any(option.name == "train" or option.kind == option.VAR_KEYWORD for option in options)


def check_arguments(model: Any) -> None:
    """Refuses a model that needs more than ``inputs`` and ``train``.

    Raises:
      UserError: names what else the model's ``__call__`` needs.
    """
    options = list(inspect.signature(model.__call__).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    name = type(model).__name__
    if not options or options[0].kind not in (*positional, inspect.Parameter.VAR_POSITIONAL):
        raise UserError(f"{name} takes no inputs; let its __call__ take inputs and train")
    given = (options[0].name, "train")
    missing = missing_arguments(model.__call__)
    needed = [argument for argument in missing if argument not in given]
    if needed:
        raise UserError(
            f"{name} is called as model(inputs, train=...), and its __call__ also needs "
            f"{', '.join(needed)}; give {'it' if len(needed) == 1 else 'them'} a default, or take "
            "inputs that are a dict of arrays"
        )


def function_name(function: Callable[..., Any]) -> str:
    """Returns the name of a function, of the function inside a ``functools.partial``, or a class.

    Example:
      >>> import functools
      >>> from nnjax.calls import function_name
      >>> function_name(functools.partial(max, default=0))
      'max'
    """
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def check_is_complete(what: str, function: Callable) -> None:
    """Refuses a function that cannot be called without arguments.

    Args:
      what: names the function's role in the message.
      function: such as a ``functools.partial``.

    Raises:
      UserError: names the argument that is missing, and how to give it.

    Example:
      >>> import functools, optax
      >>> from nnjax.calls import check_is_complete
      >>> check_is_complete("optimizer", functools.partial(optax.adam, learning_rate=0.01))
    """
    missing = missing_arguments(function)
    if missing:
        name = function_name(function)
        raise UserError(
            f"the {what} {name} needs {', '.join(missing)}; give functools.partial({name}, "
            f"{', '.join(f'{argument}=...' for argument in missing)})"
        )


def missing_arguments(function: Callable) -> list[str]:
    """Returns the names of the arguments without which a function cannot be called.

    Example:
      >>> from nnjax.calls import missing_arguments
      >>> missing_arguments(lambda step, rate=0.1: rate)
      ['step']
    """
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # Some callables have no signature.
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        argument.name
        for argument in arguments
        if argument.default is argument.empty and argument.kind not in several
    ]
